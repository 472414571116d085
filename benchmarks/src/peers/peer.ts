import type { Data } from "../event.ts";

/**
 * One way to get work done later. Every contestant has the same four verbs, so that whoever wrote it
 * can check in one small file that it is used as it should be.
 */
export interface Peer {
  readonly name: string;
  /** What it keeps its jobs in, which says what kind of place it is opened in. */
  readonly on: "postgres" | "redis" | "sqlite" | "memory";
  /** What was chosen for it, printed with the figures. */
  readonly settings: string;
  /** Connects to a place of its own, and makes its tables there unless they are there. */
  open(place: string): Promise<Opened>;
}

export interface Opened {
  /** Resolves when the job is as safe as this peer makes it. */
  enqueue(data: Data): Promise<unknown>;
  enqueueMany(data: readonly Data[]): Promise<unknown>;
  /** Begins to do jobs; answers how to end. */
  work(work: Work): Promise<() => Promise<void>>;
  /** Throws unless so many jobs were done once, and all is kept that this peer keeps of them. */
  check?(count: number): Promise<void>;
  close(): Promise<void>;
}

export interface Work {
  /** Whether jobs are taken by the batch, or each as soon as it is there. */
  readonly aim: "throughput" | "latency";
  /** How many jobs may be under way at once. */
  readonly concurrency: number;
  /** The job itself; it is given the JSON of the data. The signal is of those who can abort jobs. */
  readonly handle: (payload: string, signal?: AbortSignal) => Promise<unknown> | undefined;
  /** So many more were done. Where a peer cannot tell when that is written down: were handled. */
  readonly onDone: (count: number) => void;
}
