// A filter that uses what there is for filters and changes nothing: it answers reads in parts, looks at what is
// written, asks again after errors, and keeps an export open for itself.

import {
  adviseBlocks,
  after,
  defaultBelow,
  defineFilter,
  exportsBelow,
  Failure,
  hasFeature,
  openNext,
  sleep,
} from "./sandblock/index.js";

const PART = 4096;

let own = null;

class Disk {
  constructor(next) {
    this.next = next;
  }

  get part() {
    return Math.max(PART, this.next.info().blockMinimum);
  }

  async reply(reply) {
    const { offset, length } = reply;
    const first = Math.min(this.part, length);
    await this.#first(reply, offset, first);
    if (length > first) reply.data(await this.next.read(offset + first, length - first));
  }

  async #first(reply, offset, length) {
    reply.zero(length);
    reply.restart();
    try {
      await reply.from(this.next, offset, length);
    } catch (error) {
      this.next.reopen();
      await reply.from(this.next, offset, length);
    }
  }

  inspectWrite(write) {
    const last = write.payload(write.length - 1, 1);
    if (last.length !== 1) throw new Failure(5, "there is no payload");
  }

  async flush() {
    await this.next.flush();
  }

  async trim(offset, length, flags) {
    await this.next.trim(offset, length, flags);
  }

  async zero(offset, length, flags) {
    await this.next.zero(offset, length, flags);
  }

  async cache(offset, length) {
    await sleep(0.001);
    await this.next.cache(offset, length);
  }

  async secureErase(offset, length) {
    await this.next.secureErase(offset, length);
  }

  async ioctl(number, argument) {
    return await this.next.ioctl(number, argument);
  }

  async extents(offset, length, flags) {
    return await this.next.extents(offset, length, flags);
  }

  info(assumed) {
    adviseBlocks(assumed.blockMinimum, assumed.blockPreferred, assumed.blockMaximum);
    return assumed;
  }
}

export const device = defineFilter({
  Disk,
  start() {
    if (!hasFeature("next")) throw new Failure(5, "the host has nothing below");
    const cancel = after(3_600_000, () => {});
    if (!cancel() || cancel()) throw new Failure(5, "a timer cannot be taken back, or twice");
  },
  open(next, name, _readOnly, opened) {
    if (typeof opened.peer !== "string" || !Array.isArray(exportsBelow())) throw new Failure(5);
    defaultBelow();
    own ??= openNext(name, true);
    return new Disk(next);
  },
  async finish() {
    await sleep(0.001);
    own?.close();
    own = null;
  },
});
