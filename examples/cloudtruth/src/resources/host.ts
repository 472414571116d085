import type { CloudTruthBus } from "../bus.ts";
import type { Store } from "../store.ts";

/** What the resources are made of. */
export interface Host {
  readonly store: Store;
  readonly bus: Pick<CloudTruthBus, "publish" | "publishMany">;
  /** Where the app is, such as `http://localhost:4000`: every `url` begins with it. */
  readonly baseUrl: string;
}
