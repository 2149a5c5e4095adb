/**
 * The decoding threads: few, shared by all streams, started when the first stream needs one.
 *
 * Invariants: no thread keeps the process alive unless somebody waits for its answer at that moment; a thread without
 * streams ends after a while; a thread that dies fails its streams, never quietly.
 */

import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { FromDecoder, ToDecoder } from "./decode-messages.ts";

/** More would only take memory: each decodes faster than rows are scanned. */
const MOST_THREADS = 4;
const IDLE_MILLISECONDS = 5000;
/** A decoder makes few objects: V8's usual share for new ones would only cost memory, 10 MB a thread. */
const YOUNG_MEGABYTES = 2;

/** What a stream hears from its thread. */
export interface DecodeListener {
  hear(message: FromDecoder): void;
  /** The thread is gone. */
  lost(cause: unknown): void;
}

/** One stream's end of its thread. */
export interface DecodeLine {
  tell(message: ToDecoder, moved?: ArrayBuffer): void;
  /** Keeps the process alive until the promise settles. */
  awaited<T>(answer: Promise<T>): Promise<T>;
  /** The stream has ended. Safe to call more than once. */
  close(): void;
}

const threads = new Set<DecodeThread>();
let lastStream = 0;

/** How many decoding threads there may be: none where they would share the one processor with everything else. */
export function decodeThreadLimit(): number {
  const processors = availableParallelism();
  return processors === 1 ? 0 : Math.min(processors, MOST_THREADS);
}

/** Threads that are running now. */
export function decodeThreadCount(): number {
  return threads.size;
}

/** A line to the thread with the fewest streams, or to a new one while there may be more. `stream` numbers it. */
export function openDecodeLine(listener: DecodeListener): { readonly line: DecodeLine; readonly stream: number } {
  let thread = [...threads].sort((one, other) => one.streams - other.streams)[0];
  if (thread === undefined || (thread.streams > 0 && threads.size < decodeThreadLimit())) {
    thread = new DecodeThread();
    threads.add(thread);
  }
  lastStream++;
  return { line: thread.open(lastStream, listener), stream: lastStream };
}

class DecodeThread {
  readonly #worker: Worker;
  readonly #listeners = new Map<number, DecodeListener>();
  #awaiting = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor() {
    this.#worker = new Worker(workerFile(), {
      execArgv: [],
      name: "sanitize decode",
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
    });
    this.#worker.unref();
    this.#worker.on("message", (message: FromDecoder) => this.#listeners.get(message.stream)?.hear(message));
    this.#worker.on("error", (error) => this.#lost(error));
    this.#worker.on("exit", (code) => this.#lost(new Error(`it ended with code ${code}`)));
  }

  get streams(): number {
    return this.#listeners.size;
  }

  open(stream: number, listener: DecodeListener): DecodeLine {
    clearTimeout(this.#idle);
    this.#listeners.set(stream, listener);
    return {
      tell: (message, moved) => this.#worker.postMessage(message, moved === undefined ? [] : [moved]),
      awaited: (answer) => this.#awaited(answer),
      close: () => this.#close(stream),
    };
  }

  async #awaited<T>(answer: Promise<T>): Promise<T> {
    if (++this.#awaiting === 1) {
      this.#worker.ref();
    }
    try {
      return await answer;
    } finally {
      if (--this.#awaiting === 0) {
        this.#worker.unref();
      }
    }
  }

  #close(stream: number): void {
    if (this.#listeners.delete(stream) && this.#listeners.size === 0 && threads.has(this)) {
      this.#idle = setTimeout(() => {
        threads.delete(this);
        void this.#worker.terminate();
      }, IDLE_MILLISECONDS).unref();
    }
  }

  #lost(cause: unknown): void {
    threads.delete(this);
    clearTimeout(this.#idle);
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) {
      listener.lost(cause);
    }
  }
}

/** Beside this file: as it was built, or, where the sources themselves run, what loads them. */
function workerFile(): URL {
  const built = import.meta.url.endsWith(".js");
  return new URL(built ? "./decode-worker.js" : "./decode-worker-source.mjs", import.meta.url);
}
