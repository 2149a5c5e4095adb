/**
 * Entry of a decoding thread where the program runs from its sources (tests, benchmarks): Node 20 cannot start a thread
 * from TypeScript, so tsx, which those runs have, loads it. The built program starts `decode-worker.js` itself.
 */

import { tsImport } from "tsx/esm/api";

await tsImport("./decode-worker.ts", import.meta.url);
