/** A copy of plain data that nobody can change. */
export function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozen)) as Value;
  const members = Object.entries(value).map(([key, member]) => [key, frozen(member)]);
  return Object.freeze(Object.fromEntries(members)) as Value;
}
