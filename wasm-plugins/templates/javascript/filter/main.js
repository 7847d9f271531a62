// @name@: keeps everything below it in disguise, each byte combined with a key by exclusive or.

import { defineFilter } from "./sandblock/index.js";

// Positions of the parameters in manifest.json.
const KEY = 0;

let key = 0;

class Disk {
  constructor(next) {
    this.next = next;
  }

  async read(offset, length) {
    return disguise(await this.next.read(offset, length));
  }

  async write(offset, data) {
    await this.next.write(offset, disguise(data));
  }

  async flush() {
    await this.next.flush();
  }
}

function disguise(bytes) {
  const disguised = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at++) disguised[at] = bytes[at] ^ key;
  return disguised;
}

export const device = defineFilter({
  Disk,
  start(parameters) {
    key = parameters.number(KEY);
  },
  open(next) {
    return new Disk(next);
  },
});
