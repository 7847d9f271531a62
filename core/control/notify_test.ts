// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { closeDescriptor } from "../../native/descriptor.ts";
import { check } from "../../native/errno.ts";
import { lateLibc, libc } from "../../native/libc.ts";
import { encodeAddress } from "../../native/socket.ts";
import { takeNotifier } from "./notify.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

/** A datagram socket bound to `path`. */
function receiver(path: string): number {
  const fd = check(lateLibc.socket(AF_UNIX, SOCK_DGRAM, 0), "make a socket");
  const address = encodeAddress({ kind: "unix", path });
  check(lateLibc.bind(fd, address, address.length), "bind it");
  return fd;
}

function receive(fd: number): string {
  const bytes = new Uint8Array(4096);
  return new TextDecoder().decode(bytes.subarray(0, check(libc.read(fd, bytes, 4096), "read")));
}

Deno.test("without NOTIFY_SOCKET nobody is told", async () => {
  const notifier = await takeNotifier(new Map(), assert.fail);
  notifier.send("READY=1");
});

for (const path of [`${Deno.makeTempDirSync()}/notify`, `@sandblock-test-${Deno.pid}`]) {
  Deno.test(`states reach ${path[0] === "@" ? "an abstract socket" : "a socket"}`, async () => {
    const fd = receiver(path);
    const variables = new Map([["NOTIFY_SOCKET", path]]);
    const notifier = await takeNotifier(variables, assert.fail);
    assert.equal(variables.size, 0);
    notifier.send("READY=1", "STATUS=Serving");
    assert.equal(receive(fd), "READY=1\nSTATUS=Serving");
    notifier.send("STOPPING=1");
    assert.equal(receive(fd), "STOPPING=1");
    closeDescriptor(fd);
  });
}

Deno.test("a socket that is not there is worth a warning", async () => {
  const failures: string[] = [];
  const variables = new Map([["NOTIFY_SOCKET", "/nonexistent/notify"]]);
  const notifier = await takeNotifier(variables, (text) => failures.push(text));
  notifier.send("READY=1", "STATUS=x");
  assert.deepEqual(failures, [
    "cannot tell the service manager READY=1: cannot send to /nonexistent/notify: " +
    "No such file or directory (ENOENT)",
  ]);
});
