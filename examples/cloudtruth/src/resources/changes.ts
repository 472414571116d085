/** What an event tells of a changed attribute, or nothing: both values. */
export const fromTo = <const Key extends string, Attribute>(
  key: Key,
  from: Attribute,
  to: Attribute,
): { readonly [K in Key]?: { from: Attribute; to: Attribute } } =>
  isSame(from, to) ? {} : ({ [key]: { from, to } } as never);

/** What an event tells of a changed attribute, or nothing: that it changed. */
export const changed = <const Key extends string>(
  key: Key,
  from: unknown,
  to: unknown,
): { readonly [K in Key]?: { changed: true } } =>
  isSame(from, to) ? {} : ({ [key]: { changed: true } } as never);

const isSame = (from: unknown, to: unknown): boolean => JSON.stringify(from) === JSON.stringify(to);
