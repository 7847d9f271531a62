// SPDX-License-Identifier: MIT
// How commands talk to the process that serves a device (docs/kernel.md): a unix socket that only its
// user may open, one request and one answer per connection, each a line of JSON.

/** Longest line. */
const LINE_BYTES_MAX = 65536;
/** A client that has not asked by then is let go. */
const ASK_TIMEOUT_MS = 5000;
const NEWLINE = 10;
const OWNER_ONLY = 0o600;

/** A request: what to do, and whatever belongs to it. */
export interface AdminRequest {
  command: string;
  [argument: string]: unknown;
}

/** An answer: `error` says why not. */
export interface AdminAnswer {
  ok: boolean;
  error?: string;
  [fact: string]: unknown;
}

/** Carries a command out. What it throws is told to whoever asked. */
export type AdminHandler = (request: AdminRequest) => Promise<object> | object;

/** Listens on a socket of its own until it is closed. */
export class AdminServer {
  readonly #listener: Deno.UnixListener;
  readonly #handlers: Readonly<Record<string, AdminHandler>>;

  /** Takes the place of a socket that a dead process has left. Throws Error. */
  constructor(path: string, handlers: Readonly<Record<string, AdminHandler>>) {
    this.#handlers = handlers;
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, OWNER_ONLY);
    this.#accept();
  }

  close(): void {
    this.#listener.close();
  }

  async #accept(): Promise<void> {
    try {
      for await (const connection of this.#listener) this.#serve(connection).catch(() => {});
    } catch {
      // Closed.
    }
  }

  async #serve(connection: Deno.UnixConn): Promise<void> {
    const timer = setTimeout(() => connection.close(), ASK_TIMEOUT_MS);
    try {
      const line = await readLine(connection);
      clearTimeout(timer);
      await writeLine(connection, await this.#answer(line));
      connection.close();
    } catch {
      clearTimeout(timer);
      // Whoever asked has gone.
    }
  }

  async #answer(line: string): Promise<AdminAnswer> {
    try {
      const request = JSON.parse(line) as AdminRequest;
      const handler = Object.hasOwn(this.#handlers, request.command)
        ? this.#handlers[request.command]
        : undefined;
      if (!handler) {
        const known = Object.keys(this.#handlers).join(", ");
        return {
          ok: false,
          error: `cannot run "${request.command}": the commands are ${known}`,
        };
      }
      return { ok: true, ...await handler(request) };
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  }
}

/** Asks the process behind a socket. Null when none listens. Throws Error with what it refuses. */
export async function askAdmin(path: string, request: AdminRequest): Promise<AdminAnswer | null> {
  let connection: Deno.UnixConn;
  try {
    connection = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    if (error instanceof Deno.errors.ConnectionRefused) return null;
    throw new Error(`cannot ask "${path}": ${(error as Error).message}`);
  }
  try {
    await writeLine(connection, request);
    const line = await readLine(connection);
    if (line === "") throw new Error(`cannot ask "${path}": there was no answer`);
    const answer = JSON.parse(line) as AdminAnswer;
    if (!answer.ok) throw new Error(answer.error ?? "the process of the device refuses");
    return answer;
  } finally {
    try {
      connection.close();
    } catch {
      // Closed already.
    }
  }
}

async function writeLine(connection: Deno.UnixConn, value: object): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

async function readLine(connection: Deno.UnixConn): Promise<string> {
  const bytes = new Uint8Array(LINE_BYTES_MAX);
  let length = 0;
  while (length < bytes.length) {
    const count = await connection.read(bytes.subarray(length));
    if (count === null) break;
    const end = bytes.subarray(0, length + count).indexOf(NEWLINE, length);
    length += count;
    if (end >= 0) return new TextDecoder().decode(bytes.subarray(0, end));
  }
  return "";
}
