// A RAM disk with a label that ioctls tell and change. It can be erased for good, and may have zones, the first of
// which is conventional.

import { definePlugin, Errno, Failure, sleep } from "./sandblock/index.js";

const SIZE = 0;
const ZONED = 1;
const ZONE_BYTES = 65536;
/** As _IOWR('*', 1, ...), _IOR('*', 2, ...) and _IO('*', 3) of Linux, for 8 bytes. */
const SWAP = 0xc0082a01;
const GET = 0x80082a02;
const CLEAR = 0x00002a03;

let memory = new Uint8Array();
let label = new Uint8Array(8);
/** Bytes written to each zone; none without zones. */
let written = [];

/** Writes `data` to a zone, from `at` in it on. */
function put(zone, at, data) {
  if (at + data.length > ZONE_BYTES) throw new Failure(Errno.EIO, "the zone is full");
  memory.set(data, zone * ZONE_BYTES + at);
  if (zone > 0) written[zone] += data.length;
}

function tellZone(zone) {
  const [start, length] = [zone * ZONE_BYTES, ZONE_BYTES];
  if (zone === 0) return { start, length, type: "conventional", condition: "not-write-pointer" };
  const bytes = written[zone];
  const condition = bytes === 0 ? "empty" : bytes === length ? "full" : "implicitly-open";
  return { start, length, pointer: start + bytes, type: "sequential", condition };
}

class Disk {
  constructor(readOnly) {
    this.readOnly = readOnly;
  }

  size() {
    return memory.length;
  }

  read(offset, length) {
    return memory.subarray(offset, offset + length);
  }

  write(offset, data) {
    if (written.length === 0) return memory.set(data, offset);
    const zone = Math.floor(offset / ZONE_BYTES);
    if (zone > 0 && offset % ZONE_BYTES !== written[zone]) {
      throw new Failure(Errno.EIO, "that is not at the write pointer");
    }
    put(zone, offset % ZONE_BYTES, data);
  }

  flush() {}

  secureErase(offset, length) {
    memory.fill(0, offset, offset + length);
  }

  async ioctl(number, argument) {
    if (number === GET) return label;
    if (number !== SWAP && number !== CLEAR) throw new Failure(Errno.ENOTTY);
    if (this.readOnly) throw new Failure(Errno.EROFS, "the label stays as it is");
    const before = label;
    label = number === SWAP ? argument.slice() : new Uint8Array(8);
    await sleep(0.001);
    return number === SWAP ? before : undefined;
  }

  info(assumed) {
    if (written.length === 0) return assumed;
    return { ...assumed, blockMinimum: 512, zero: "none", fastZero: "none" };
  }

  zones() {
    return written.length === 0 ? undefined : { zoneSize: ZONE_BYTES, maxAppend: 8192 };
  }

  zoneReport(offset, length) {
    return Array.from({ length: length / ZONE_BYTES }, (_, at) => tellZone(offset / ZONE_BYTES + at));
  }

  async zoneAppend(offset, data) {
    const zone = offset / ZONE_BYTES;
    if (zone === 0) throw new Failure(Errno.EIO, "the zone has no write pointer");
    await sleep(0.001);
    const at = written[zone];
    put(zone, at, data);
    return offset + at;
  }

  zoneFinish(offset) {
    written[offset / ZONE_BYTES] = ZONE_BYTES;
  }

  zoneReset(offset, length) {
    for (let at = Math.max(offset, ZONE_BYTES); at < offset + length; at += ZONE_BYTES) {
      memory.fill(0, at, at + ZONE_BYTES);
      written[at / ZONE_BYTES] = 0;
    }
  }
}

export const device = definePlugin({
  Disk,
  concurrent: true,
  start(parameters) {
    memory = new Uint8Array(parameters.number(SIZE));
    const zones = parameters.number(ZONED) * memory.length / ZONE_BYTES;
    if (!Number.isInteger(zones)) throw new Failure(Errno.EINVAL, "these are no whole zones");
    written = new Array(zones).fill(0);
  },
  open: (_name, readOnly) => new Disk(readOnly),
});
