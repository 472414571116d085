import { isIP } from "node:net";

/** An address as its bytes: 4 of them, or 16. A mapped IPv4 address (`::ffff:1.2.3.4`) has 4. */
export type Address = Uint8Array;

/** A range of addresses. */
export interface Network {
  readonly address: Address;
  /** How many leading bits an address shares with it. */
  readonly bits: number;
}

/** The address that a text writes; null for anything else, and for one with a zone (`%eth0`). */
export function parseAddress(text: string): Address | null {
  switch (text.includes("%") ? 0 : isIP(text)) {
    case 4:
      return fourBytes(text);
    case 6:
      return withoutMapping(sixteenBytes(text));
    default:
      return null;
  }
}

/** The network that a text writes in CIDR notation, or the one address; null for anything else. */
export function parseNetwork(text: string): Network | null {
  const [, base = "", length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const address = parseAddress(base);
  if (address === null) return null;
  const size = address.length * 8;
  const mapped = base.includes(":") && size === 32;
  const bits = length === undefined ? size : Number(length) - (mapped ? 96 : 0);
  return bits >= 0 && bits <= size ? { address, bits } : null;
}

/** Is an address in a network? */
export function isIn(address: Address, { address: base, bits }: Network): boolean {
  if (address.length !== base.length) return false;
  const whole = bits >> 3;
  for (let index = 0; index < whole; index += 1) {
    if (address[index] !== base[index]) return false;
  }
  const rest = 8 - (bits & 7);
  return rest === 8 || (address[whole] ?? 0) >> rest === (base[whole] ?? 0) >> rest;
}

/**
 * Is it an address that the public internet routes to one host? IPv4: IANA's special-purpose
 * registry is left out (https://www.iana.org/assignments/iana-ipv4-special-registry), multicast and
 * the reserved rest with it. IPv6: only 2000::/3 has such addresses
 * (https://www.iana.org/assignments/ipv6-address-space), less the special ones.
 */
export function isPublic(address: Address): boolean {
  if (address.length === 4) return !SPECIAL_V4.some((network) => isIn(address, network));
  return isIn(address, GLOBAL_V6) && !SPECIAL_V6.some((network) => isIn(address, network));
}

/**
 * IPv4 addresses that a translator on the way may make of an IPv6 one: NAT64 (RFC 6052), 6to4
 * (RFC 3056), Teredo (RFC 4380, which inverts the bits).
 */
export function embedded(address: Address): readonly Address[] {
  if (address.length === 4) return [];
  if (isIn(address, NAT64)) return [address.slice(12)];
  if (isIn(address, SIX_TO_FOUR)) return [address.slice(2, 6)];
  if (isIn(address, TEREDO)) return [address.slice(4, 8), address.slice(12).map((b) => ~b)];
  return [];
}

/**
 * Where clouds tell a machine its credentials, or steer it. All but Azure's are outside of the
 * public ranges already; allowing a network around them does not allow them.
 */
export const isMetadata = (address: Address): boolean =>
  METADATA.some((network) => isIn(address, network));

function fourBytes(text: string): Address {
  return Uint8Array.from(text.split("."), Number);
}

function sixteenBytes(text: string): Address {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const [a = 0, b = 0, c = 0, d = 0] = dotted === null ? [] : fourBytes(dotted[2] as string);
  const hex =
    dotted === null
      ? text
      : `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const [head = "", tail] = hex.split("::");
  const groups = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const front = groups(head);
  const back = groups(tail ?? "");
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => "0");
  const words = [...front, ...(tail === undefined ? [] : zeros), ...back];
  return Uint8Array.from(
    words.flatMap((word) => {
      const value = Number.parseInt(word, 16);
      return [value >> 8, value & 0xff];
    }),
  );
}

const withoutMapping = (address: Address): Address =>
  address.subarray(0, 10).every((byte) => byte === 0) &&
  address[10] === 0xff &&
  address[11] === 0xff
    ? address.slice(12)
    : address;

const networks = (...texts: readonly string[]): readonly Network[] =>
  texts.map((text) => parseNetwork(text) as Network);

const [NAT64, SIX_TO_FOUR, TEREDO, GLOBAL_V6] = networks(
  "64:ff9b::/96",
  "2002::/16",
  "2001::/32",
  "2000::/3",
) as [Network, Network, Network, Network];

const SPECIAL_V4 = networks(
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.31.196.0/24",
  "192.52.193.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "192.175.48.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
);

const SPECIAL_V6 = networks(
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "2620:4f:8000::/48",
  "3fff::/20",
);

const METADATA = networks(
  "169.254.169.254", // AWS, Azure, Google Cloud, and most others
  "169.254.170.2", // AWS ECS
  "169.254.169.253", // AWS's resolver
  "fd00:ec2::254", // AWS
  "fd20:ce::254", // Google Cloud
  "100.100.100.200", // Alibaba Cloud
  "192.0.0.192", // Oracle Cloud
  "168.63.129.16", // Azure, in a public range
);
