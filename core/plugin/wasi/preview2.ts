// SPDX-License-Identifier: MIT
// WASI 0.2 as the runtimes of languages import it, made of an empty world (surroundings.ts). There is
// nothing to open, so most resources exist by name only: nobody can get hold of one.

import { RANDOM_BYTES_MAX, type Surroundings, trap } from "./surroundings.ts";

/** An interface: functions in camelCase and resources in PascalCase, as jco names them. */
export type Interface = Record<string, unknown>;

/** The error of a function whose result may be one; jco looks for `payload`. */
class WasiFailure extends Error {
  constructor(readonly payload: unknown) {
    super("WASI");
  }
}

const WRITE_BYTES_MAX = 65536n;
const NS_PER_S = 1_000_000_000n;

/** All interfaces, by name without a version: `wasi:cli/environment`. */
export function preview2(around: Surroundings): Record<string, Interface> {
  const { Pollable, ...streams } = makeStreams(around);
  return {
    ...cli(around, streams),
    ...clocks(around, Pollable),
    ...filesystem(),
    ...sockets(),
    "wasi:io/error": { Error: streams.Error },
    "wasi:io/poll": {
      Pollable,
      poll: (list: { block(): void }[]) => {
        for (const one of list) one.block();
        return Uint32Array.from(list.keys());
      },
    },
    "wasi:io/streams": { InputStream: streams.InputStream, OutputStream: streams.OutputStream },
    "wasi:random/random": random(around),
    "wasi:random/insecure": {
      getInsecureRandomBytes: (length: bigint) => randomBytes(around, length),
      getInsecureRandomU64: () => randomU64(around),
    },
    "wasi:random/insecure-seed": { insecureSeed: () => [randomU64(around), randomU64(around)] },
  };
}

function makeStreams(around: Surroundings) {
  /** Ends when its time has come, which it does at once. */
  class Pollable {
    constructor(readonly time = 0n) {}
    ready(): boolean {
      return true;
    }
    block(): void {
      around.sleepUntil(this.time);
    }
  }
  class IoError {
    toDebugString(): string {
      return "there is nothing here";
    }
  }
  const closed = () => {
    throw new WasiFailure({ tag: "closed" });
  };
  class InputStream {
    read = closed;
    blockingRead = closed;
    skip = closed;
    blockingSkip = closed;
    subscribe = () => new Pollable();
  }
  class OutputStream {
    readonly #write: (bytes: Uint8Array) => void;
    constructor(write: (bytes: Uint8Array) => void) {
      this.#write = write;
    }
    checkWrite(): bigint {
      return WRITE_BYTES_MAX;
    }
    write(bytes: Uint8Array): void {
      this.#write(bytes);
    }
    blockingWriteAndFlush(bytes: Uint8Array): void {
      this.#write(bytes);
    }
    flush(): void {}
    blockingFlush(): void {}
    writeZeroes(): void {}
    blockingWriteZeroesAndFlush(): void {}
    splice = closed;
    blockingSplice = closed;
    subscribe = () => new Pollable();
  }
  return { Pollable, Error: IoError, InputStream, OutputStream };
}

type Streams = Omit<ReturnType<typeof makeStreams>, "Pollable">;

function cli(around: Surroundings, { InputStream, OutputStream }: Streams) {
  class TerminalInput {}
  class TerminalOutput {}
  const nothing = () => undefined;
  return {
    "wasi:cli/environment": {
      getEnvironment: () => [],
      getArguments: () => [],
      initialCwd: nothing,
    },
    "wasi:cli/exit": {
      exit: (status: { tag: "ok" | "err" }) => exit(around, status.tag === "ok" ? 0 : 1),
      exitWithCode: (code: number) => exit(around, code),
    },
    "wasi:cli/stdin": { InputStream, getStdin: () => new InputStream() },
    "wasi:cli/stdout": {
      OutputStream,
      getStdout: () => new OutputStream((bytes) => around.output.write(bytes)),
    },
    "wasi:cli/stderr": {
      OutputStream,
      getStderr: () => new OutputStream((bytes) => around.errors.write(bytes)),
    },
    "wasi:cli/terminal-input": { TerminalInput },
    "wasi:cli/terminal-output": { TerminalOutput },
    "wasi:cli/terminal-stdin": { TerminalInput, getTerminalStdin: nothing },
    "wasi:cli/terminal-stdout": { TerminalOutput, getTerminalStdout: nothing },
    "wasi:cli/terminal-stderr": { TerminalOutput, getTerminalStderr: nothing },
  };
}

/** A plugin that exits has ended its call badly, whatever it says. */
export function exit(around: Surroundings, code: number): never {
  around.flush();
  trap(`it exited with the code ${code}`);
}

function clocks(around: Surroundings, Pollable: new (time?: bigint) => unknown) {
  return {
    "wasi:clocks/monotonic-clock": {
      now: () => around.now(),
      resolution: () => 1000n,
      subscribeInstant: (when: bigint) => new Pollable(when),
      subscribeDuration: (duration: bigint) => new Pollable(around.now() + duration),
    },
    "wasi:clocks/wall-clock": {
      now: () => {
        const now = around.wallClock();
        return { seconds: now / NS_PER_S, nanoseconds: Number(now % NS_PER_S) };
      },
      resolution: () => ({ seconds: 0n, nanoseconds: 1000 }),
    },
  };
}

function filesystem() {
  class Descriptor {}
  class DirectoryEntryStream {}
  return {
    "wasi:filesystem/types": {
      Descriptor,
      DirectoryEntryStream,
      filesystemErrorCode: () => undefined,
    },
    "wasi:filesystem/preopens": { Descriptor, getDirectories: () => [] },
  };
}

function sockets() {
  class Network {}
  class TcpSocket {}
  class UdpSocket {}
  class IncomingDatagramStream {}
  class OutgoingDatagramStream {}
  class ResolveAddressStream {}
  const denied = () => {
    throw new WasiFailure("access-denied");
  };
  return {
    "wasi:sockets/network": { Network, networkErrorCode: () => undefined },
    "wasi:sockets/instance-network": { Network, instanceNetwork: () => new Network() },
    "wasi:sockets/tcp": { TcpSocket },
    "wasi:sockets/tcp-create-socket": { TcpSocket, createTcpSocket: denied },
    "wasi:sockets/udp": { UdpSocket, IncomingDatagramStream, OutgoingDatagramStream },
    "wasi:sockets/udp-create-socket": { UdpSocket, createUdpSocket: denied },
    "wasi:sockets/ip-name-lookup": { ResolveAddressStream, resolveAddresses: denied },
  };
}

function random(around: Surroundings): Interface {
  return {
    getRandomBytes: (length: bigint) => randomBytes(around, length),
    getRandomU64: () => randomU64(around),
  };
}

function randomBytes(around: Surroundings, length: bigint): Uint8Array<ArrayBuffer> {
  if (length > RANDOM_BYTES_MAX) trap(`it asked for ${length} random bytes at once`);
  const bytes = new Uint8Array(Number(length));
  around.fillRandom(bytes);
  return bytes;
}

function randomU64(around: Surroundings): bigint {
  return new DataView(randomBytes(around, 8n).buffer).getBigUint64(0, true);
}
