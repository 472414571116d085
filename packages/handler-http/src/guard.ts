import { PosthornError } from "@posthorn/core";
import {
  type Address,
  embedded,
  isIn,
  isMetadata,
  isPublic,
  type Network,
  parseAddress,
  parseNetwork,
} from "./address.ts";

/** Where webhooks may go. Set in code by the host, never by a customer. */
export interface GuardOptions {
  /** Goes through although a rule refuses it: CIDR ranges, and host names (`*.` for all below). */
  readonly allow?: readonly string[] | undefined;
  /** Is refused although all rules allow it, and whatever `allow` says. */
  readonly deny?: readonly string[] | undefined;
  /** Default: 443, and 80 with `http`. */
  readonly ports?: readonly number[] | "any" | undefined;
  /** Also take `http:` URLs. What goes there can be read and changed on its way. Default false. */
  readonly http?: boolean | undefined;
  /** Also take a public IP address in place of a name. Default false. */
  readonly literalAddresses?: boolean | undefined;
}

/** Why a URL is refused. */
export type UrlProblem =
  | "too_long"
  | "forbidden_character"
  | "unparseable"
  | "scheme"
  | "authority"
  | "userinfo"
  | "fragment"
  | "port"
  | "literal_address"
  | "address"
  | "single_label"
  | "special_name"
  | "host_name"
  | "denied";

/** The one gatekeeper of everything that goes out: when a URL is saved, and when it is dialled. */
export interface Guard {
  /** The URL, normalised, or why nothing may be sent there. Looks nothing up. */
  checkUrl(text: string): { readonly url: URL } | { readonly problem: UrlProblem };
  /** What a connection is about to be opened to. */
  checkTarget(target: Target): UrlProblem | null;
  /** May this address be dialled? For every answer of a resolver, and for the far end of a socket. */
  checkAddress(address: string): boolean;
}

interface Target {
  /** `https:` or another. */
  readonly protocol: string;
  /** As `URL.hostname` has it, with or without brackets. */
  readonly hostname: string;
  readonly port: number;
}

const LONGEST_URL = 2_048;
/** RFC 1035 §2.3.4. */
const LONGEST_NAME = 253;
const LONGEST_LABEL = 63;

/**
 * Names that are not of the public DNS: IANA's special-use names
 * (https://www.iana.org/assignments/special-use-domain-names), ICANN's `.internal`, and what
 * networks use of their own.
 */
const SPECIAL_NAME =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|private|test|example|invalid|onion|alt|arpa|svc|cluster\.local)$/;

/** @throws PosthornError `invalid_options` for lists and ports that are not valid */
export function createGuard(options: GuardOptions = {}): Guard {
  const strange = unknownKeys(options, NAMES);
  if (strange !== null) throw invalid(strange);
  const { http = false, literalAddresses = false } = options;
  if (typeof http !== "boolean" || typeof literalAddresses !== "boolean") {
    throw invalid("http and literalAddresses must be true or false");
  }
  const allow = parseRules("allow", options.allow ?? []);
  const deny = parseRules("deny", options.deny ?? []);
  const { ports = http ? [443, 80] : [443] } = options;
  if (ports !== "any" && !(Array.isArray(ports) && ports.every(isPort))) {
    throw invalid('ports must be an array of port numbers, or "any"');
  }

  const addressAllowed = (address: Address): boolean => {
    const forms = [address, ...embedded(address)];
    if (forms.some((form) => deny.networks.some((network) => isIn(form, network)))) return false;
    return forms.every((form) =>
      isMetadata(form)
        ? allow.networks.some((network) => isIn(form, network) && network.bits === form.length * 8)
        : isPublic(form) || allow.networks.some((network) => isIn(form, network)),
    );
  };

  function checkName(name: string): UrlProblem | null {
    const labels = name.split(".");
    if (deny.hosts.some((host) => host(name))) return "denied";
    if (name.length > LONGEST_NAME) return "host_name";
    if (allow.hosts.some((host) => host(name))) return null;
    if (labels.length < 2 || name === "") return "single_label";
    if (labels.some((label) => label === "" || label.length > LONGEST_LABEL)) return "host_name";
    return SPECIAL_NAME.test(name) ? "special_name" : null;
  }

  function checkTarget({ protocol, hostname, port }: Target): UrlProblem | null {
    if (protocol !== "https:" && !(http && protocol === "http:")) return "scheme";
    if (ports !== "any" && !ports.includes(port)) return "port";
    if (!isPort(port)) return "port";
    const host = hostname.replace(/^\[|\]$/g, "");
    const address = parseAddress(host);
    if (address === null) {
      return host.includes(":") ? "address" : checkName(host.replace(/\.$/, "").toLowerCase());
    }
    if (!addressAllowed(address)) return "address";
    const named = allow.networks.some((network) => isIn(address, network));
    return literalAddresses || named ? null : "literal_address";
  }

  return {
    checkUrl: (text) => {
      if (text.length > LONGEST_URL) return { problem: "too_long" };
      // biome-ignore lint/suspicious/noControlCharactersInRegex: parsers drop or turn them.
      if (/[\u0000-\u0020\u007f\\]/.test(text)) return { problem: "forbidden_character" };
      const url = URL.parse(text);
      if (url === null) return { problem: "unparseable" };
      if (!/^https?:$/.test(url.protocol)) return { problem: "scheme" };
      if (url.protocol === "http:" && !http) return { problem: "scheme" };
      if (!/^https?:\/\/[^/]/i.test(text)) return { problem: "authority" };
      if (url.username !== "" || url.password !== "") return { problem: "userinfo" };
      if (text.includes("#")) return { problem: "fragment" };
      const problem = checkTarget(targetOf(url));
      return problem === null ? { url } : { problem };
    },
    checkTarget,
    checkAddress: (text) => {
      const address = parseAddress(text);
      return address !== null && addressAllowed(address);
    },
  };
}

const targetOf = ({ protocol, hostname, port }: URL): Target => ({
  protocol,
  hostname,
  port: portOf(protocol, port),
});

/** A port as URLs write it, which leave out the scheme's own. */
export const portOf = (protocol: string, port: string): number =>
  port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);

const NAMES = Object.keys({
  allow: true,
  deny: true,
  ports: true,
  http: true,
  literalAddresses: true,
} satisfies { readonly [Name in keyof GuardOptions]-?: true });

/** What is wrong with the names of options: one that is mistyped would guard nothing, in silence. */
export function unknownKeys(options: object, names: readonly string[]): string | null {
  const [strange] = Object.entries(options).filter(
    ([name, value]) => value !== undefined && !names.includes(name),
  );
  return strange === undefined
    ? null
    : `there is no option ${JSON.stringify(strange[0])}; there are ${names.join(", ")}`;
}

interface Rules {
  readonly networks: readonly Network[];
  readonly hosts: readonly ((name: string) => boolean)[];
}

function parseRules(option: "allow" | "deny", rules: readonly string[]): Rules {
  const networks: Network[] = [];
  const hosts: ((name: string) => boolean)[] = [];
  for (const rule of rules) {
    const network = parseNetwork(rule);
    if (network !== null) {
      networks.push(network);
    } else if (HOST_RULE.test(rule)) {
      hosts.push(hostRule(rule.toLowerCase()));
    } else {
      throw invalid(
        `${option} has ${JSON.stringify(withoutPassword(rule))}, which is neither a network, such as "10.1.0.0/16", nor a host name, such as "hooks.example.com" or "*.example.com"`,
      );
    }
  }
  return { networks, hosts };
}

/** Somebody may have pasted a whole URL. */
const withoutPassword = (rule: string): string => rule.replace(/[^/]*@/g, "");

/** The last label has a letter: else it would be a mistyped address. */
const HOST_RULE = /^(?:\*\.)?(?:[a-z0-9_-]+\.)*(?=[a-z0-9-]*[a-z])[a-z0-9-]+$/i;

const hostRule = (rule: string): ((name: string) => boolean) =>
  rule.startsWith("*.") ? (name) => name.endsWith(rule.slice(1)) : (name) => name === rule;

const isPort = (port: unknown): boolean =>
  Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535;

const invalid = (message: string): PosthornError =>
  new PosthornError("invalid_options", `http({ guard }): ${message}.`);
