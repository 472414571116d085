import { once } from "node:events";
import { peers } from "../peers/all.ts";
import type { Order } from "./hire.ts";

// A process that works for one peer, in a place that others have opened. It says "ready", waits for
// the word, and tells now and then how many jobs it has done.
const order = JSON.parse(process.argv[2] ?? "") as Order;
const peer = peers.find(({ name }) => name === order.peer);
if (peer === undefined) throw new Error(`Nobody is called ${order.peer}.`);

const opened = await peer.open(order.at);
const word = once(process, "message");
process.send?.("ready");
await word;

let told = 0;
let done = 0;
const tell = (): void => {
  if (done > told) process.send?.(done - told);
  told = done;
};
const telling = setInterval(tell, 5);
const stop = await opened.work({
  aim: "throughput",
  concurrency: order.concurrency,
  handle: () => undefined,
  onDone: (count) => {
    done += count;
  },
});
await once(process, "message");
clearInterval(telling);
await stop();
await opened.close();
process.disconnect();
