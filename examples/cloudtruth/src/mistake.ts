/** Something that the person at the terminal can correct. */
export class Mistake extends Error {}
