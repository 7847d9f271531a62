// SPDX-License-Identifier: MIT
// One transmission, turn by turn, over a socket pair, against a disk that can answer late.
import assert from "node:assert/strict";
import type { Device, OpenExport } from "../block/device.ts";
import { Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import { Command, type Request, RequestFlag, Status } from "../block/request.ts";
import { createSession } from "../nbd/session.ts";
import { Replies, REQUEST_MAGIC, SIMPLE_REPLY_MAGIC } from "../nbd/wire.ts";
import { closeDescriptor, setNonBlocking } from "../../native/descriptor.ts";
import { lateLibc, libc } from "../../native/libc.ts";
import { connectionFacts } from "../policy/connection.ts";
import { Guard, PolicyInstance } from "../policy/guard.ts";
import { loadPolicy } from "../policy/loaded.ts";
import { DeviceContext } from "./device_context.ts";
import { Turn } from "./phase.ts";
import { TestMemory } from "./test_memory.ts";
import { Transmission } from "./transmission.ts";

const DISK_BYTES = 4 << 20;

/** A disk in memory that holds requests back while `late` is set. */
class TestDisk implements Device, OpenExport {
  readonly memory = new TestMemory(32 << 20);
  readonly bufferAlignment = 64;
  readonly completionFds = [];
  readonly nextMs = Infinity;
  readonly busy = false;
  finish = () => -1;
  readonly info: ExportInfo = {
    name: "disk",
    description: "",
    sizeHigh: 0,
    sizeLow: DISK_BYTES,
    readOnly: false,
    rotational: false,
    blockSize: { minimum: 1, preferred: 4096, maximum: 33554432 },
    can: {
      write: Support.Native,
      flush: Support.Native,
      fua: Support.Native,
      trim: Support.Native,
      zero: Support.Native,
      fastZero: Support.Native,
      cache: Support.Native,
      extents: Support.None,
      multiConn: Support.Native,
      secureErase: Support.None,
      ioctl: Support.None,
    },
  };
  late = false;
  stable = false;
  submitted = 0;
  readonly waiting: Request[] = [];
  readonly disk = this.memory.allocate(DISK_BYTES, 4096);

  list() {
    return [{ name: "disk", description: "" }];
  }
  defaultExport() {
    return "disk";
  }
  connect() {}
  open() {
    return this;
  }
  /** Whether it says where payloads are to be received, and from which offset on. */
  placesFrom = Infinity;
  /** Bytes that were written from where they belong. */
  placed = 0;

  place(length: number, offsetHigh: number, offsetLow: number): number {
    const fits = offsetHigh === 0 && offsetLow >= this.placesFrom &&
      offsetLow + length <= DISK_BYTES;
    return fits ? this.memory.address + this.disk + offsetLow : 0;
  }
  submit(request: Request): number {
    this.submitted++;
    if (!this.late) return this.#execute(request);
    this.waiting.push(request);
    return Status.Pending;
  }
  /** Answers what waits, the last first. */
  reap() {
    for (let r = this.waiting.pop(); r; r = this.waiting.pop()) {
      r.sink.completed(r, this.#execute(r));
    }
  }
  submitQueued() {}
  close() {}

  #execute(request: Request): number {
    const at = this.disk + request.offset;
    const { bytes, address } = this.memory;
    if (request.command === Command.Read) {
      if (this.stable) request.data(0, address + at, request.length, true);
      else {
        const room = request.space.take(request, request.length);
        if (room === 0) return Errno.ENOMEM;
        bytes.copyWithin(room - address, at, at + request.length);
        request.data(0, room, request.length, false);
      }
    } else if (request.command === Command.Write) {
      const from = request.payload - address;
      if (from === at) this.placed += request.length;
      bytes.copyWithin(at, from, from + request.length);
    } else if (request.command === Command.WriteZeroes) bytes.fill(0, at, at + request.length);
    return 0;
  }
}

function setUp(options: { inflightBytesMax?: number; inflightMax?: number } = {}) {
  const disk = new TestDisk();
  const context = new DeviceContext(disk, options.inflightBytesMax ?? 8 << 20);
  const fds = new Int32Array(2);
  assert.equal(lateLibc.socketpair(1, 1, 0, new Uint8Array(fds.buffer)), 0);
  fds.forEach(setNonBlocking);
  const [near, far] = [fds[0]!, fds[1]!];
  const session = createSession({
    export: disk,
    exportName: "disk",
    replies: Replies.Simple,
    metaContexts: [],
  });
  const logged: string[] = [];
  const transmission = new Transmission(
    session,
    context,
    { answered() {}, log: (_level, text) => void logged.push(text) },
    { inputFd: near, outputFd: near },
    options.inflightMax ?? 1024,
  );
  return { disk, context, transmission, far, logged, close: () => fds.forEach(closeDescriptor) };
}

function request(
  command: number,
  cookie: number,
  offset: number,
  length: number,
  data?: Uint8Array,
) {
  const bytes = new Uint8Array(28 + (data?.length ?? 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, REQUEST_MAGIC);
  view.setUint16(6, command);
  view.setUint32(12, cookie);
  view.setUint32(20, offset);
  view.setUint32(24, length);
  if (data) bytes.set(data, 28);
  return bytes;
}

function write(fd: number, ...parts: Uint8Array<ArrayBuffer>[]): void {
  for (const part of parts) assert.equal(libc.write(fd, part, part.length), part.length);
}

function read(fd: number): Uint8Array {
  const bytes = new Uint8Array(1 << 20);
  const n = libc.read(fd, bytes, bytes.length);
  return bytes.subarray(0, Math.max(n, 0));
}

/** The cookies and errors of the simple replies in `bytes`, each with `data` bytes behind it. */
function replies(bytes: Uint8Array, data = 0): [number, number][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: [number, number][] = [];
  for (let at = 0; at < bytes.length;) {
    assert.equal(view.getUint32(at), SIMPLE_REPLY_MAGIC);
    const error = view.getUint32(at + 4);
    found.push([view.getUint32(at + 12), error]);
    at += 16 + (error === 0 ? data : 0);
  }
  return found;
}

Deno.test("a batch of requests is answered in one turn", () => {
  const { disk, context, transmission, far, close } = setUp();
  const data = new Uint8Array(4096).fill(7);
  write(far, request(Command.Write, 1, 8192, 4096, data), request(Command.Read, 2, 8192, 4096));
  assert.equal(transmission.turn(), Turn.Worked);
  const got = read(far);
  assert.deepEqual(replies(got.subarray(0, 16)), [[1, 0]]);
  assert.deepEqual(replies(got.subarray(16), 4096), [[2, 0]]);
  assert.deepEqual(got.subarray(32), data);
  assert.equal(transmission.turn(), Turn.Idle);
  assert.equal(disk.submitted, 2);
  assert.equal(context.pool.lentBytes, context.arena.idleBytes, "nothing is held at rest");
  close();
});

Deno.test("requests that finish late and in another order are answered each with its cookie", () => {
  const { disk, context, transmission, far, close } = setUp();
  disk.late = true;
  const data = new Uint8Array(3000).fill(9);
  write(far, request(Command.Write, 1, 0, 3000, data), request(Command.Read, 2, 4096, 512));
  assert.equal(transmission.turn(), Turn.Worked);
  assert.equal(read(far).length, 0);
  assert.equal(context.pending, 2);
  write(far, request(Command.Flush, 3, 0, 0));
  transmission.turn();
  disk.reap();
  assert.equal(context.pending, 0);
  transmission.turn();
  const got = read(far);
  assert.deepEqual(replies(got.subarray(0, 16)), [[3, 0]]);
  assert.deepEqual(replies(got.subarray(16, 16 + 528), 512), [[2, 0]]);
  assert.deepEqual(replies(got.subarray(544)), [[1, 0]]);
  assert.deepEqual(disk.memory.bytes.slice(disk.disk, disk.disk + 3000), data, "payload stayed");
  assert.equal(context.pool.lentBytes, context.arena.idleBytes);
  close();
});

Deno.test("an export is opened anew when what is under way is finished, and not before", () => {
  const { disk, transmission, far, close } = setUp();
  const larger = Object.assign(new TestDisk(), {
    info: { ...disk.info, sizeLow: 2 * DISK_BYTES },
  });
  disk.late = true;
  write(far, request(Command.Read, 1, DISK_BYTES, 512), request(Command.Flush, 2, 0, 0));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, Errno.EINVAL]], "beyond the end");
  transmission.reopen(() => larger);
  write(far, request(Command.Flush, 3, 0, 0));
  assert.equal(transmission.turn(), Turn.Idle);
  assert.equal(transmission.wantsInput, false);
  assert.equal(larger.submitted, 0);
  disk.reap();
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[2, 0], [3, 0]]);
  assert.equal(larger.submitted, 1);
  write(far, request(Command.WriteZeroes, 4, DISK_BYTES, 512));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[4, 0]]);
  close();
});

Deno.test("an export that cannot be opened anew stays as it is", () => {
  const { disk, transmission, far, logged, close } = setUp();
  transmission.reopen(() => {
    throw new Error("cannot open it: it has gone");
  });
  write(far, request(Command.Flush, 1, 0, 0));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, 0]]);
  assert.equal(disk.submitted, 1);
  assert.deepEqual(logged, ["disk: cannot open it: it has gone"]);
  close();
});

Deno.test("no more requests than allowed are under way; the rest waits its turn", () => {
  const { disk, transmission, far, close } = setUp({ inflightMax: 2 });
  disk.late = true;
  for (let i = 1; i <= 5; i++) write(far, request(Command.Flush, i, 0, 0));
  transmission.turn();
  assert.equal(disk.waiting.length, 2);
  assert.equal(transmission.wantsInput, false);
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    disk.reap();
    transmission.turn();
    seen.push(...replies(read(far)).map(([cookie]) => cookie));
  }
  assert.deepEqual(seen.sort(), [1, 2, 3, 4, 5]);
  close();
});

Deno.test("a client that does not read is not read from, and costs no further request", () => {
  const { disk, transmission, far, close } = setUp();
  for (let i = 0; i < 64; i++) write(far, request(Command.Read, i, 0, 65536));
  for (let i = 0; i < 20; i++) transmission.turn();
  assert.equal(transmission.wantsOutput, true);
  assert.equal(transmission.wantsInput, false);
  assert.ok(disk.submitted < 64, `${disk.submitted} submitted`);
  let bytes = 0;
  for (let i = 0; i < 200 && bytes < 64 * 65552; i++) {
    bytes += read(far).length;
    transmission.turn();
  }
  assert.equal(bytes, 64 * 65552);
  close();
});

Deno.test("what a slow client has been promised is not changed by a later write of zeroes", () => {
  const { disk, transmission, far, close, context } = setUp();
  disk.stable = true;
  disk.memory.bytes.fill(0x5a, disk.disk, disk.disk + DISK_BYTES);
  write(far, request(Command.Read, 1, 0, 2 << 20), request(Command.WriteZeroes, 2, 0, 2 << 20));
  transmission.turn();
  assert.equal(transmission.wantsOutput, true);
  // Another connection's request reaches the same device.
  context.settle();
  disk.memory.bytes.fill(0, disk.disk, disk.disk + DISK_BYTES);
  let got = 0;
  let wrong = 0;
  for (let i = 0; i < 200 && got < 16 + (2 << 20); i++) {
    const part = read(far);
    for (let j = 0; j < part.length; j++) {
      const at = got + j;
      if (at >= 16 && at < 16 + (2 << 20) && part[j] !== 0x5a) wrong++;
    }
    got += part.length;
    transmission.turn();
  }
  assert.equal(wrong, 0);
  close();
});

Deno.test("the payload of a refused write is discarded and the stream stays in step", () => {
  const { disk, context, transmission, far, close } = setUp();
  const data = new Uint8Array(100_000);
  const bad = request(Command.Write, 1, DISK_BYTES - 10, 100_000, data);
  write(far, bad.slice(0, 50_000));
  transmission.turn();
  assert.equal(read(far).length, 0, "answered only when the payload is over");
  write(far, bad.slice(50_000), request(Command.Flush, 2, 0, 0));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, Errno.ENOSPC], [2, 0]]);
  assert.equal(disk.submitted, 1);
  assert.equal(context.pool.lentBytes, context.arena.idleBytes);
  close();
});

/** Sends `bytes` in pieces, with a turn after each. */
function sendSlowly(far: number, transmission: Transmission, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 65536) {
    write(far, bytes.slice(at, at + 65536));
    transmission.turn();
  }
}

function noise(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 31 + (i >> 10));
}

Deno.test("a large write needs little memory, because its parts are passed on as they come", () => {
  const { disk, transmission, far, close } = setUp({ inflightBytesMax: 512 * 1024 });
  const data = noise(1_500_001);
  sendSlowly(far, transmission, request(Command.Write, 1, 4096, data.length, data));
  write(far, request(Command.Flush, 2, 0, 0));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, 0], [2, 0]]);
  const got = disk.memory.bytes.slice(disk.disk + 4096, disk.disk + 4096 + data.length);
  assert.equal(got.findIndex((byte, i) => byte !== data[i]), -1);
  assert.equal(disk.memory.bytes[disk.disk + 4096 + data.length], 0);
  close();
});

Deno.test("a large write is answered once, when its last part is finished, with its first error", () => {
  const { disk, context, transmission, far, close } = setUp();
  disk.late = true;
  const data = noise(400_000);
  sendSlowly(far, transmission, request(Command.Write, 1, 0, data.length, data));
  assert.ok(disk.waiting.length > 1, "it came in parts");
  const last = disk.waiting.pop()!;
  for (let part = disk.waiting.shift(); part; part = disk.waiting.shift()) {
    part.errorText = "bad";
    part.sink.completed(part, disk.waiting.length === 0 ? Errno.ENOSPC : 0);
  }
  transmission.turn();
  assert.equal(read(far).length, 0);
  last.sink.completed(last, Errno.EIO);
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, Errno.ENOSPC]]);
  assert.equal(context.pool.lentBytes, context.arena.idleBytes);
  close();
});

Deno.test("large writes are received where the disk keeps them, and small ones beside them", () => {
  const { disk, context, transmission, far, close } = setUp();
  const length = 300_001;
  disk.placesFrom = 1_000_000;
  const stream: Uint8Array<ArrayBuffer>[] = [];
  const expected = new Uint8Array(DISK_BYTES);
  for (let i = 0; i < 6; i++) {
    const large = Uint8Array.from({ length }, (_, at) => 1 + (at + i) % 251);
    const small = new Uint8Array(700).fill(100 + i);
    const at = 400_000 * i + 1;
    stream.push(request(Command.Write, 2 * i, at, length, large));
    stream.push(request(Command.Write, 2 * i + 1, at + length, small.length, small));
    expected.set(large, at);
    expected.set(small, at + length);
  }
  const bytes = new Uint8Array(stream.reduce((sum, part) => sum + part.length, 0));
  stream.reduce((at, part) => (bytes.set(part, at), at + part.length), 0);
  const found: [number, number][] = [];
  // Pieces that end within headers and payloads alike.
  for (let at = 0, step = 1; at < bytes.length; step = 1 + step * 7 % 99_991) {
    const piece = bytes.slice(at, at + step);
    const sent = libc.write(far, piece, piece.length);
    if (sent > 0) at += sent;
    while (transmission.turn() === Turn.Worked);
    found.push(...replies(read(far)));
  }
  assert.deepEqual(found, stream.map((_, cookie) => [cookie, 0]));
  const actual = disk.memory.bytes.subarray(disk.disk, disk.disk + DISK_BYTES);
  assert.equal(actual.findIndex((byte, at) => byte !== expected[at]), -1);
  assert.ok(disk.placed > 2 * length, `only ${disk.placed} bytes were received in their place`);
  assert.equal(context.pool.lentBytes, context.arena.idleBytes, "nothing is held at rest");
  close();
});

Deno.test("a client that vanishes within a large write leaves nothing behind", () => {
  const { disk, context, transmission, far, close } = setUp();
  disk.late = true;
  const data = noise(400_000);
  sendSlowly(far, transmission, request(Command.Write, 1, 0, data.length, data).slice(0, 200_000));
  closeDescriptor(far);
  for (let i = 0; i < 3; i++) assert.notEqual(transmission.turn(), Turn.Closed);
  disk.reap();
  transmission.turn();
  assert.equal(transmission.turn(), Turn.Closed);
  assert.equal(context.pool.lentBytes, context.arena.idleBytes);
  close();
});

Deno.test("a payload that must be whole and has no room is refused with ENOMEM, in step", () => {
  const { disk, transmission, far, close } = setUp({ inflightBytesMax: 512 * 1024 });
  const bytes = request(Command.Write, 1, 0, 1 << 20, new Uint8Array(1 << 20).fill(1));
  new DataView(bytes.buffer).setUint16(4, RequestFlag.Fua);
  sendSlowly(far, transmission, bytes);
  write(far, request(Command.Flush, 2, 0, 0));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, Errno.ENOMEM], [2, 0]]);
  assert.equal(disk.submitted, 1);
  close();
});

Deno.test("a wrong magic number closes the connection, after what came before it", () => {
  const { transmission, far, close, logged } = setUp();
  write(far, request(Command.Flush, 1, 0, 0), new Uint8Array(28));
  transmission.turn();
  assert.deepEqual(replies(read(far)), [[1, 0]]);
  assert.equal(transmission.turn(), Turn.Closed);
  assert.match(logged.join(), /magic/);
  close();
});

Deno.test("a disconnect request finishes what is under way, then closes without an answer", () => {
  const { disk, transmission, far, close } = setUp();
  disk.late = true;
  write(far, request(Command.Flush, 1, 0, 0), request(Command.Disconnect, 2, 0, 0));
  write(far, request(Command.Flush, 3, 0, 0));
  transmission.turn();
  assert.equal(transmission.turn(), Turn.Idle);
  disk.reap();
  assert.equal(transmission.turn(), Turn.Closed);
  assert.deepEqual(replies(read(far)), [[1, 0]]);
  close();
});

Deno.test("a client that vanishes with requests under way leaves nothing behind", () => {
  const { disk, context, transmission, far, close } = setUp();
  disk.late = true;
  write(far, request(Command.Read, 1, 0, 4096), request(Command.Read, 2, 0, 4096));
  transmission.turn();
  transmission.hangUp();
  assert.equal(transmission.turn(), Turn.Idle);
  disk.reap();
  assert.equal(transmission.turn(), Turn.Closed);
  assert.equal(context.pool.lentBytes, context.arena.idleBytes);
  close();
});

Deno.test("draining refuses what is new with ESHUTDOWN and finishes what is under way", () => {
  const { disk, transmission, far, close } = setUp({ inflightMax: 1 });
  disk.late = true;
  write(far, request(Command.Flush, 1, 0, 0), request(Command.Flush, 2, 0, 0));
  transmission.turn();
  write(far, request(Command.Flush, 3, 0, 0));
  transmission.drain();
  assert.deepEqual(replies(read(far)), [[2, Errno.ESHUTDOWN], [3, Errno.ESHUTDOWN]]);
  disk.reap();
  assert.equal(transmission.turn(), Turn.Closed);
  assert.deepEqual(replies(read(far)), [[1, 0]]);
  close();
});

Deno.test("a guard refuses, and kill ends the connection but not what is under way", () => {
  const { disk, context, transmission, far, close } = setUp();
  const rules = "default allow\nerrno EPERM write\nkill trim\n";
  const { policy } = loadPolicy(new TextEncoder().encode(rules), "test");
  const facts = connectionFacts("fd:3", "disk");
  transmission.guard = new Guard(new PolicyInstance(policy, () => {}), facts, "fd:3");
  write(
    far,
    request(Command.Write, 1, 0, 512, new Uint8Array(512).fill(9)),
    request(Command.Flush, 2, 0, 0),
  );
  assert.equal(transmission.turn(), Turn.Worked);
  assert.deepEqual(replies(read(far)), [[1, Errno.EPERM], [2, 0]]);
  assert.equal(disk.submitted, 1);
  disk.late = true;
  write(far, request(Command.Read, 3, 0, 512), request(Command.Trim, 4, 0, 512));
  write(far, request(Command.Flush, 5, 0, 0));
  assert.equal(transmission.turn(), Turn.Worked);
  assert.equal(disk.submitted, 2, "neither the trim nor what follows it");
  assert.equal(transmission.turn(), Turn.Idle, "the read is still under way");
  disk.reap();
  assert.equal(transmission.turn(), Turn.Closed);
  assert.equal(read(far).length, 0);
  assert.equal(context.pending, 0);
  close();
});

Deno.test("a guard is asked about the whole of a large write before its first part", () => {
  const { disk, transmission, far, close } = setUp();
  const rules = "default allow\nerrno EPERM write if end > 1M\n";
  const { policy } = loadPolicy(new TextEncoder().encode(rules), "test");
  const facts = connectionFacts("fd:3", "disk");
  transmission.guard = new Guard(new PolicyInstance(policy, () => {}), facts, "fd:3");
  const send = (cookie: number, length: number) => {
    const whole = request(Command.Write, cookie, 0, length, new Uint8Array(length));
    for (let at = 0; at < whole.length; at += 65536) {
      write(far, whole.slice(at, at + 65536));
      transmission.turn();
    }
  };
  send(1, (1 << 20) + 512);
  assert.equal(disk.submitted, 0);
  assert.deepEqual(replies(read(far)), [[1, Errno.EPERM]]);
  send(2, 1 << 20);
  assert.ok(disk.submitted > 1, "it is passed on in parts");
  assert.deepEqual(replies(read(far)), [[2, 0]]);
  const { submitted } = disk;
  transmission.guard = new Guard(
    new PolicyInstance(
      loadPolicy(new TextEncoder().encode("default kill\n"), "test").policy,
      () => {},
    ),
    facts,
    "fd:3",
  );
  write(far, request(Command.Write, 3, 0, 2 << 20), new Uint8Array(65536));
  transmission.turn();
  assert.equal(disk.submitted, submitted);
  assert.equal(transmission.turn(), Turn.Closed);
  close();
});

Deno.test("writes behind answers that a client does not take arrive unharmed", () => {
  const { disk, transmission, far, close } = setUp({ inflightBytesMax: 16 << 20 });
  for (let i = 0; i < 3; i++) write(far, request(Command.Read, i, 2 << 20, 1 << 20));
  const blocks = Array.from({ length: 40 }, (_, i) => noise(4096).map((byte) => byte ^ (i * 37)));
  for (const [i, block] of blocks.entries()) {
    write(far, request(Command.Write, 100 + i, i * 8192, 4096, block));
  }
  // The reactor leaves the connection to epoll again and again meanwhile.
  for (let i = 0; i < 20; i++) {
    transmission.turn();
    transmission.pause();
  }
  assert.ok(disk.submitted < 43, "the client's reluctance holds it up");
  let bytes = 0;
  for (let i = 0; i < 300 && bytes < 3 * (16 + (1 << 20)) + 40 * 16; i++) {
    bytes += read(far).length;
    transmission.turn();
    transmission.pause();
  }
  assert.equal(bytes, 3 * (16 + (1 << 20)) + 40 * 16);
  for (const [i, block] of blocks.entries()) {
    const at = disk.disk + i * 8192;
    assert.deepEqual(disk.memory.bytes.slice(at, at + 4096), block, `block ${i}`);
  }
  close();
});
