export { http, type HttpOptions, type TransformedEvent } from "./http.ts";
export type { Format, HttpConfiguration, HttpConfigurationInput } from "./configuration.ts";
export type { GuardOptions } from "./guard.ts";
export type { SignatureVersion } from "./keys.ts";
export type { Transformed } from "./message.ts";
export type { Resolve, ResolvedAddress } from "./resolver.ts";
