// A disk in a file that the user has granted, which asks a server before it flushes.

import { connect, definePlugin, openFile } from "./sandblock/index.js";

// Positions of the parameters in manifest.json.
const FILE = 0;
const SERVER = 1;

let path = "";
let server = "";

class Disk {
  constructor() {
    this.file = openFile(path, { write: true });
    this.file.readNow(0, 1);
  }

  size() {
    return this.file.size();
  }

  read(offset, length) {
    return this.file.read(offset, length);
  }

  write(offset, data) {
    return this.file.write(offset, data);
  }

  async flush() {
    const connection = await connect(server);
    try {
      await connection.write(new TextEncoder().encode("flush\n"));
      const answer = new TextDecoder().decode(await connection.read(16));
      if (answer !== "yes") throw new Error("the server has refused it");
    } finally {
      connection.close();
    }
    await this.file.sync();
  }

  close() {
    this.file.close();
  }
}

export const device = definePlugin({
  Disk,
  concurrent: true,
  start(parameters) {
    path = parameters.text(FILE);
    server = parameters.text(SERVER);
  },
  open() {
    return new Disk();
  },
});
