#!/usr/bin/env node
import { readArguments, startAlone, usage } from "./alone.ts";

try {
  const options = readArguments(process.argv.slice(2));
  if (options === "help") {
    console.log(usage);
  } else {
    const slack = await startAlone(options);
    const stop = (): void => void slack.close();
    process.once("SIGINT", stop).once("SIGTERM", stop);
    console.log(`Web API   ${slack.url}\nChannels  ${new URL("/", slack.url)}`);
    console.log(`Tokens    ${options.tokens.join(", ")}`);
  }
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  console.error(code === "EADDRINUSE" ? "The port is taken. Give another: --port 0" : message);
  process.exitCode = 1;
}
