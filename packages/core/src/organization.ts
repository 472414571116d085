const LONGEST = 256;

/** What is wrong with an organization's id, or null. Ids are opaque and compared byte for byte. */
export function organizationProblem(organization: unknown): string | null {
  if (typeof organization !== "string") return "must be a string";
  if (organization.length === 0) return "must not be empty";
  if (organization.length > LONGEST) return `must have at most ${LONGEST} characters`;
  if (!organization.isWellFormed() || /\p{Cc}/u.test(organization)) {
    return "must not contain control characters or lone surrogates";
  }
  return null;
}
