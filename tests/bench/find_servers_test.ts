// SPDX-License-Identifier: MIT
// How servers tell their versions, and what is said of those that are missing.

import assert from "node:assert/strict";
import { findServers, parseVersion } from "./find_servers.ts";

Deno.test("the version is found in what each server says of itself", () => {
  assert.equal(parseVersion("nbdkit 1.32.5\n"), "1.32.5");
  assert.equal(parseVersion("qemu-nbd 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n"), "7.2.22");
  assert.equal(parseVersion("This is nbd-server version 3.24\n"), "3.24");
  assert.equal(parseVersion("fio-3.33\n"), "3.33");
  assert.equal(parseVersion("sandblock\n"), null);
});

Deno.test("a server that is not there is missing with a reason, not silently", async () => {
  const search = {
    executable: "/nowhere/sandblock",
    baseline: null,
    peers: "/nowhere",
    directory: "/tmp",
  };
  const found = await findServers(search, (id) => id === "sandblock" || id === "nbdkit-new");
  assert.deepEqual(found.servers, []);
  assert.equal(found.missing.length, 2);
  assert.match(found.missing[0]!, /sandblock: cannot run "\/nowhere\/sandblock"/);
  assert.match(found.missing[1]!, /nbdkit-new: cannot run "\/nowhere\/run\/nbdkit"/);
});
