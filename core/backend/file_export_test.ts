// SPDX-License-Identifier: MIT
// Which operations requests go through, where a client could not tell a wrong one from the answer.

import assert from "node:assert/strict";
import { join } from "node:path";
import { Command, RequestFlag } from "../block/request.ts";
import { clearEvent, closeDescriptor, createEvent } from "../../native/descriptor.ts";
import { Epoll, Poll } from "../../native/epoll.ts";
import { Falloc, Rwf } from "../../native/file_data.ts";
import { Open, openFile } from "../../native/file.ts";
import { BlockingQueue } from "./blocking_queue.ts";
import { FileExport } from "./file_export.ts";
import { fileInfo } from "./file_info.ts";
import { FileServices } from "./file_services.ts";
import { DISK_DIRECTORY, pattern } from "./file_testing.ts";
import { FileTraits } from "./file_traits.ts";
import { HostFile } from "./host_file.ts";
import { HostMemory } from "./host_memory.ts";
import { type Operation, OperationKind, OperationPool } from "./operation.ts";
import { TestClient } from "./testing.ts";

const MIB = 1024 * 1024;

/** What an operation was when it was started. */
interface Started {
  kind: number;
  flags: number;
  offset: number;
  length: number;
}

class RecordingQueue extends BlockingQueue {
  readonly started: Started[] = [];

  override start(operation: Operation): void {
    const { kind, flags, offsetLow, lengthLow } = operation;
    this.started.push({ kind, flags, offset: offsetLow, length: lengthLow });
    super.start(operation);
  }
}

/** Runs `test` on an export of a file on a disk whose operations are recorded. */
function recorded(
  test: (client: TestClient, started: Started[], traits: FileTraits) => void,
): void {
  const directory = Deno.makeTempDirSync({ dir: DISK_DIRECTORY });
  const path = join(directory, "disk.img");
  Deno.writeFileSync(path, pattern(MIB, 1));
  const queue = new RecordingQueue();
  const memory = new HostMemory();
  const zeroes = { address: memory.address, length: 4096 };
  const services = new FileServices(memory, queue, new OperationPool(), zeroes, () => {});
  const file = new HostFile("test", openFile(path, Open.ReadWrite), -1, false);
  // Nothing counts as slow, however busy the machine is.
  const traits = new FileTraits(false, 60_000);
  const info = fileInfo(file, "", "", false);
  const opened = new FileExport(info, file, traits, services, () => file.close());
  const device = {
    memory,
    bufferAlignment: 64,
    completionFds: [queue.completionFd],
    nextMs: Infinity,
    busy: false,
    connect: () => {},
    list: () => [],
    defaultExport: () => "",
    open: () => opened,
    reap: () => queue.reap(),
    submitQueued: () => queue.submit(),
    finish: () => -1,
    close: () => queue.close(),
  };
  const client = new TestClient(device, opened);
  try {
    test(client, queue.started, traits);
  } finally {
    client.close();
    memory.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("FUA makes exactly what was written durable before the answer", () => {
  recorded((client, started) => {
    client.write(4096, pattern(8192, 2), RequestFlag.Fua);
    assert.deepEqual(started, [
      { kind: OperationKind.Sync, flags: 0, offset: 4096, length: 8192 },
    ]);
  });
});

Deno.test("a queued write with FUA is made durable by its flag", () => {
  recorded((client, started, traits) => {
    traits.locking = 1;
    client.write(4096, pattern(8192, 2), RequestFlag.Fua);
    assert.deepEqual(started, [
      { kind: OperationKind.Write, flags: Rwf.Dsync, offset: 4096, length: 8192 },
    ]);
  });
});

Deno.test("trims and zeroes with FUA end with a sync of the file", () => {
  const sync = { kind: OperationKind.Sync, offset: 0, length: 0 };
  const allocate = { kind: OperationKind.Allocate, offset: 4096, length: 8192 };
  recorded((client, started) => {
    client.trim(4096, 8192, RequestFlag.Fua);
    client.zero(4096, 8192, RequestFlag.Fua);
    const all = started.map(({ kind, offset, length }) => ({ kind, offset, length }));
    assert.deepEqual(all, [allocate, sync, allocate, sync]);
  });
});

Deno.test("without FUA nothing is synced, and a flush syncs the whole file", () => {
  recorded((client, started) => {
    client.write(0, pattern(5, 1));
    client.trim(4096, 4096);
    client.flush();
    assert.deepEqual(started.map(({ kind }) => kind), [OperationKind.Allocate, OperationKind.Sync]);
    assert.deepEqual({ ...started[1], flags: 0 }, {
      kind: OperationKind.Sync,
      flags: 0,
      offset: 0,
      length: 0,
    });
  });
});

Deno.test("NO_HOLE keeps the space, and a filesystem without it gets zeroes written", () => {
  recorded((client, started, traits) => {
    client.zero(0, 65_536, RequestFlag.NoHole);
    assert.deepEqual(started.map(({ flags }) => flags), [Falloc.Zero]);
    started.length = 0;
    traits.punches = traits.zeroRanges = false;
    client.zero(100, 10_000);
    assert.deepEqual(started, [
      { kind: OperationKind.Write, flags: 0, offset: 100, length: 4096 },
      { kind: OperationKind.Write, flags: 0, offset: 4196, length: 4096 },
      { kind: OperationKind.Write, flags: 0, offset: 8292, length: 1808 },
    ]);
    assert.deepEqual(client.read(100, 10_000), new Uint8Array(10_000));
    assert.throws(() => client.zero(0, 4096, RequestFlag.FastZero), /EOPNOTSUPP/);
    // Trim may always be ignored.
    started.length = 0;
    client.trim(0, 4096);
    assert.deepEqual(started, []);
  });
});

Deno.test("a write does not wait for the lock that a queued operation holds", () => {
  recorded((client, started) => {
    const zero = client.request(Command.WriteZeroes, 0, 4096n, 0);
    const write = client.writeRequest(8192, pattern(4096, 3), 0);
    assert.deepEqual(client.together([zero, write]), [0, 0]);
    assert.deepEqual(started.map(({ kind }) => kind), [
      OperationKind.Allocate,
      OperationKind.Write,
    ]);
    client.write(0, pattern(4096, 4));
    assert.equal(started.length, 2);
  });
});

Deno.test("calls that waited for the disk are queued for a while, then tried again", () => {
  const traits = new FileTraits(false, 10);
  const slowCall = () => {
    assert.equal(traits.mayCall(), true);
    const later = Date.now() + 40;
    while (Date.now() < later);
    traits.called();
  };
  const queuedNext = () => {
    let queued = 0;
    while (!traits.mayCall()) queued++;
    return queued;
  };
  slowCall();
  assert.equal(queuedNext(), 16);
  slowCall();
  assert.equal(queuedNext(), 32);
});

Deno.test("a queue that shares an event signals it until all is done", () => {
  const event = createEvent();
  const queue = new BlockingQueue(event);
  const epoll = new Epoll(1);
  epoll.add(event, Poll.In);
  const pool = new OperationPool();
  let finished = 0;
  for (let i = 0; i < 3; i++) {
    const operation = pool.take()!;
    operation.kind = OperationKind.Sync;
    operation.fd = 999_999;
    operation.owner = { finished: () => finished++ };
    queue.start(operation);
  }
  for (let i = 1; i <= 3; i++) {
    assert.equal(epoll.wait(0), 1);
    clearEvent(event);
    queue.reap();
    assert.equal(finished, i);
  }
  assert.equal(epoll.wait(0), 0);
  epoll.close();
  closeDescriptor(event);
});
