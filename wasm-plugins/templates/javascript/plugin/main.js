// @name@: a RAM disk.

import { definePlugin } from "./sandblock/index.js";

// Positions of the parameters in manifest.json.
const SIZE = 0;

let memory = new Uint8Array();

class Disk {
  size() {
    return memory.length;
  }

  read(offset, length) {
    return memory.subarray(offset, offset + length);
  }

  write(offset, data) {
    memory.set(data, offset);
  }

  // There is nothing that could be lost but all of it.
  flush() {}
}

export const device = definePlugin({
  Disk,
  start(parameters) {
    memory = new Uint8Array(parameters.number(SIZE));
  },
  open() {
    return new Disk();
  },
});
