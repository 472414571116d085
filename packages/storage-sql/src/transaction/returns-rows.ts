/** For drivers that must be told whether a statement answers with rows. */
export const returnsRows = (text: string): boolean =>
  /^\s*(select|with)\b|\breturning\b/i.test(text);
