import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { urls } from "../test/urls.ts";
import { parseAddress } from "./address.ts";
import { createGuard, type GuardOptions } from "./guard.ts";

const verdict = (text: string, options: GuardOptions = {}): string => {
  const checked = createGuard(options).checkUrl(text);
  return "url" in checked ? checked.url.hostname.replace(/\.$/, "") : checked.problem;
};

describe("a URL that a customer gives", () => {
  it("has 159 forms in the table", () => {
    expect(Object.keys(urls)).toHaveLength(159);
  });

  for (const [id, [text, expected]] of Object.entries(urls)) {
    it(`${id}: ${JSON.stringify(text).slice(0, 60)} is ${expected}`, () => {
      expect(verdict(text)).toBe(expected);
    });
  }

  it("may have a public address in place of a name if the host says so", () => {
    const options = { literalAddresses: true };
    for (const [text, expected] of Object.values(urls)) {
      const found = verdict(text, options);
      if (expected !== "literal_address") expect(found, text).toBe(expected);
      else expect(parseAddress(found.replace(/^\[|\]$/g, "")), text).not.toBeNull();
    }
  });
});

describe("what the host allows and denies", () => {
  it("allows networks, and names with all below them", () => {
    const options = {
      allow: ["10.1.0.0/16", "hooks.internal", "*.svc.cluster.local", "fd12::/16"],
    };
    expect(verdict("https://10.1.2.3/", options)).toBe("10.1.2.3");
    expect(verdict("https://10.2.2.3/", options)).toBe("address");
    expect(verdict("https://[fd12::1]/", options)).toBe("[fd12::1]");
    expect(verdict("https://hooks.internal/", options)).toBe("hooks.internal");
    expect(verdict("https://x.hooks.internal/", options)).toBe("special_name");
    expect(verdict("https://a.svc.cluster.local/", options)).toBe("a.svc.cluster.local");
    expect(verdict("https://svc.cluster.local/", options)).toBe("special_name");
  });

  it("refuses what is denied, also if it is allowed", () => {
    const options = { allow: ["10.0.0.0/8"], deny: ["10.0.0.7", "*.evil.dev", "8.8.8.0/24"] };
    expect(verdict("https://10.0.0.8/", options)).toBe("10.0.0.8");
    expect(verdict("https://10.0.0.7/", options)).toBe("address");
    expect(verdict("https://a.evil.dev/", options)).toBe("denied");
    expect(verdict("https://A.EVIL.dev./", options)).toBe("denied");
    expect(createGuard(options).checkAddress("8.8.8.8")).toBe(false);
    expect(createGuard(options).checkAddress("::ffff:8.8.8.8")).toBe(false);
    expect(createGuard(options).checkAddress("8.8.4.4")).toBe(true);
  });

  it("allows a metadata address only if it is named itself", () => {
    const around = createGuard({ allow: ["169.254.0.0/16", "fd00::/8", "168.63.129.0/24"] });
    for (const address of ["169.254.169.254", "fd00:ec2::254", "168.63.129.16"]) {
      expect(around.checkAddress(address)).toBe(false);
    }
    expect(around.checkAddress("169.254.1.1")).toBe(true);
    expect(createGuard({ allow: ["169.254.169.254"] }).checkAddress("169.254.169.254")).toBe(true);
  });

  it("looks through translators that it allows", () => {
    const guard = createGuard({ allow: ["64:ff9b::/96", "2002::/16"], deny: ["9.9.9.9"] });
    expect(guard.checkAddress("64:ff9b::8.8.8.8")).toBe(true);
    expect(guard.checkAddress("64:ff9b::7f00:1")).toBe(false);
    expect(guard.checkAddress("64:ff9b::a9fe:a9fe")).toBe(false);
    expect(guard.checkAddress("64:ff9b::909:909")).toBe(false);
    expect(guard.checkAddress("2002:7f00:1::")).toBe(false);
    expect(guard.checkAddress("2002:808:808::1")).toBe(true);
  });

  it("looks through Teredo, whose client's address is inverted", () => {
    const guard = createGuard({ allow: ["2001::/32"] });
    expect(guard.checkAddress("2001:0:808:808:0:0:f7f7:f7f7")).toBe(true);
    expect(guard.checkAddress("2001:0:808:808:0:0:80ff:fffe")).toBe(false);
  });

  it("opens ports and http one by one", () => {
    expect(verdict("https://hooks.acme.dev:8443/", { ports: [443, 8443] })).toBe("hooks.acme.dev");
    expect(verdict("https://hooks.acme.dev:22/", { ports: [443, 8443] })).toBe("port");
    expect(verdict("https://hooks.acme.dev:22/", { ports: "any" })).toBe("hooks.acme.dev");
    expect(verdict("http://hooks.acme.dev/", { http: true })).toBe("hooks.acme.dev");
    expect(verdict("http://hooks.acme.dev:8080/", { http: true })).toBe("port");
  });

  it.each([
    ["127.0.0.0/invalid"],
    ["127.0.0.0/33"],
    ["::/129"],
    ["256.1.1.1"],
    ["10.0.0"],
    ["https://a.dev"],
    [""],
    ["*"],
    ["a b"],
  ])("throws at the rule %s", (rule) => {
    expect(() => createGuard({ allow: [rule] })).toThrow(JSON.stringify(rule));
    expect(() => createGuard({ deny: [rule] })).toThrow("neither a network");
  });

  it("throws at a port that is none", () => {
    for (const port of [0, 65_536, 1.5, Number.NaN]) {
      expect(() => createGuard({ ports: [port] })).toThrow("ports");
    }
  });
});

describe("any address", () => {
  const guard = createGuard();
  const octet = fc.nat(255);
  const starts4 = [0, 10, 100, 127, 169, 172, 192, 198, 203, 224, 240, 255];
  const v4 = fc
    .tuple(fc.oneof(octet, fc.constantFrom(...starts4)), octet, fc.nat(255), octet)
    .map((octets) => octets.join("."));
  const word = fc.nat(0xffff);
  const starts6 = [0, 0x64, 0x100, 0x2000, 0x2001, 0x2002, 0x2620, 0x3fff, 0x5f00, 0xfc00, 0xfe80];
  const v6 = fc
    .tuple(
      fc.oneof(word, fc.constantFrom(...starts6)),
      fc.oneof(word, fc.constantFrom(0, 0xdb8, 0xff9b, 0x4f, 2, 0x1ff, 0x200)),
      fc.array(fc.oneof(word, fc.constant(0)), { minLength: 6, maxLength: 6 }),
    )
    .map(([first, second, rest]) => [first, second, ...rest].map((w) => w.toString(16)).join(":"));
  const mapped = v4.map((address) => `::ffff:${address}`);

  it("is taken exactly if ipaddr.js calls it unicast, but for what is refused on purpose", () => {
    const allocated = ipaddr.parseCIDR("2000::/3");
    const onPurpose = (address: string): boolean =>
      address === "168.63.129.16" ||
      (ipaddr.IPv6.isValid(address) && !ipaddr.parse(address).match(allocated));
    fc.assert(
      fc.property(fc.oneof(v4, v6), (address) => {
        const isUnicast = ipaddr.process(address).range() === "unicast";
        const isTaken = guard.checkAddress(address);
        if (isTaken) expect(isUnicast, address).toBe(true);
        else if (!onPurpose(address)) expect(isUnicast, address).toBe(false);
      }),
      { numRuns: 20_000 },
    );
  });

  it("is judged the same, however it is written", () => {
    fc.assert(
      fc.property(fc.oneof(v4, mapped, v6), (address) => {
        const plain = ipaddr.process(address);
        expect(guard.checkAddress(address)).toBe(guard.checkAddress(plain.toString()));
        expect(guard.checkAddress(address)).toBe(guard.checkAddress(plain.toNormalizedString()));
        expect(parseAddress(address)).toEqual(Uint8Array.from(plain.toByteArray()));
      }),
      { numRuns: 5_000 },
    );
  });

  it("is refused if it is none, or has a zone", () => {
    for (const text of ["", "x", "1.2.3", "fe80::1%eth0", "8.8.8.8 ", "[2606:4700::1]"]) {
      expect(guard.checkAddress(text)).toBe(false);
    }
  });
});
