export { memoryStorage } from "./memory.ts";
