// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { closeDescriptor } from "../../native/descriptor.ts";
import { connectTo, listenOn, localAddress } from "../../native/socket.ts";
import { takeActivation } from "./activation.ts";

const PID = 1234;

function variables(entries: Record<string, string>) {
  return new Map(Object.entries(entries));
}

Deno.test("without variables nothing was handed over", () => {
  assert.deepEqual(takeActivation(variables({}), PID), { listenFds: [], connectedFds: [] });
});

Deno.test("sockets for another process are left alone, and so are the variables", () => {
  const given = variables({ LISTEN_PID: "1", LISTEN_FDS: "1" });
  assert.deepEqual(takeActivation(given, PID).listenFds, []);
  assert.equal(given.size, 2);
});

Deno.test("a listening socket is taken, and the variables go", () => {
  const fd = listenOn({ kind: "tcp", host: "127.0.0.1", port: 0 });
  const given = variables({ LISTEN_PID: `${PID}`, LISTEN_FDS: "1", LISTEN_FDNAMES: "x", A: "b" });
  assert.deepEqual(takeActivation(given, PID, fd), { listenFds: [fd], connectedFds: [] });
  assert.deepEqual([...given.keys()], ["A"]);
  closeDescriptor(fd);
});

Deno.test("a connected socket is a client, not a listener", () => {
  const listener = listenOn({ kind: "tcp", host: "127.0.0.1", port: 0 });
  const fd = connectTo(localAddress(listener));
  const given = variables({ LISTEN_PID: `${PID}`, LISTEN_FDS: "1" });
  assert.deepEqual(takeActivation(given, PID, fd), { listenFds: [], connectedFds: [fd] });
  closeDescriptor(fd);
  closeDescriptor(listener);
});

Deno.test("a descriptor that is not a socket is refused", () => {
  using file = Deno.openSync("/dev/null");
  assert.ok(file);
  const fds = [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => Number(name));
  const fd = fds.find((fd) => Deno.readLinkSync(`/proc/self/fd/${fd}`) === "/dev/null" && fd > 2)!;
  assert.throws(
    () => takeActivation(variables({ LISTEN_PID: `${PID}`, LISTEN_FDS: "1" }), PID, fd),
    new RegExp(`cannot use descriptor ${fd} of LISTEN_FDS: it is not a socket`),
  );
});

Deno.test("a count that makes no sense is refused", () => {
  for (const count of ["0", "-1", "x", "", "1025", "99999", "1 "]) {
    assert.throws(
      () => takeActivation(variables({ LISTEN_PID: `${PID}`, LISTEN_FDS: count }), PID),
      /cannot use LISTEN_FDS ".*": it is a number from 1 to 1024/,
    );
  }
});
