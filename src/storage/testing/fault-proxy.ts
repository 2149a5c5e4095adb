/**
 * A TCP proxy before the real S3 server that does to connections what networks do: cuts them, stalls them, or lets
 * another answer in. Bytes are passed through unread, so signatures and TLS stay the server's.
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/** What happens to one connection, by the bytes of answers that have gone through it. */
export type Fault =
  | { readonly kind: "cut"; readonly afterBytes: number }
  | { readonly kind: "stall"; readonly afterBytes: number }
  /** Answers the first request with this text instead of asking the server, then closes. */
  | { readonly kind: "answer"; readonly text: string };

export class FaultProxy {
  /** `http(s)://127.0.0.1:port` in the place of the server's. */
  readonly endpoint: string;
  /** Bytes of answers passed on, all connections together. */
  passedBytes = 0;
  /** Connections taken so far. */
  connections = 0;
  /** Decides for each new connection; `null` leaves it alone. */
  faultOf: (connection: number) => Fault | null = () => null;
  readonly #server: Server;
  readonly #open: Set<Socket>;

  private constructor(server: Server, open: Set<Socket>, endpoint: string) {
    this.#server = server;
    this.#open = open;
    this.endpoint = endpoint;
  }

  /** `address` is a loopback address; one that the server's certificate does not name, for instance. */
  static async before(target: string, address?: string): Promise<FaultProxy> {
    const url = new URL(target);
    const open = new Set<Socket>();
    const server = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve) => server.listen(0, address ?? "127.0.0.1", resolve));
    const bound = server.address();
    if (bound === null || typeof bound === "string") {
      throw new Error("the proxy has no port");
    }
    const proxy = new FaultProxy(server, open, `${url.protocol}//${address ?? url.hostname}:${bound.port}`);
    server.on("connection", (client) => proxy.#serve(client, url.hostname, Number(url.port)));
    return proxy;
  }

  /** Client connections that are open now. */
  get openConnections(): number {
    return this.#open.size;
  }

  /** Closes what is open now; new connections are taken. */
  drop(): void {
    for (const socket of this.#open) {
      socket.destroy();
    }
  }

  async close(): Promise<void> {
    this.drop();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket, host: string, port: number): void {
    this.connections += 1;
    this.#open.add(client);
    client.on("close", () => this.#open.delete(client)).on("error", () => client.destroy());
    const fault = this.faultOf(this.connections);
    if (fault?.kind === "answer") {
      client.once("data", () => client.end(fault.text));
      client.resume();
      return;
    }
    const server = connect(port, host);
    server.on("error", () => client.destroy()).on("close", () => client.end());
    client.on("close", () => server.destroy()).pipe(server);
    let passed = 0;
    server.on("data", (bytes: Buffer) => {
      const left = fault === null ? bytes.length : Math.min(bytes.length, fault.afterBytes - passed);
      passed += left;
      this.passedBytes += left;
      const drained = client.write(bytes.subarray(0, left));
      if (left < bytes.length) {
        server.pause();
        if (fault?.kind === "cut") {
          client.end(() => client.resetAndDestroy());
        }
      } else if (!drained) {
        server.pause();
        client.once("drain", () => server.resume());
      }
    });
  }
}

/** An S3 error as the service words it. */
export function s3Answer(status: string, code: string): string {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`;
  return [
    `HTTP/1.1 ${status}`,
    "Content-Type: application/xml",
    `Content-Length: ${body.length}`,
    "Connection: close",
    "",
    body,
  ].join("\r\n");
}
