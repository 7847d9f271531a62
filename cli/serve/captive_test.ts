// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { captiveVariables } from "./captive.ts";

Deno.test("a captive command knows the unix socket by all names that nbdkit gives it", () => {
  assert.deepEqual(captiveVariables(["nbd+unix:///?socket=/tmp/x/socket"], ""), {
    uri: "nbd+unix:///?socket=/tmp/x/socket",
    nbd: "nbd:unix:/tmp/x/socket",
    port: "",
    unixsocket: "/tmp/x/socket",
    exportname: "",
  });
});

Deno.test("a captive command knows the port and the export", () => {
  assert.deepEqual(captiveVariables(["nbd://localhost:1234/disk%201"], "disk 1"), {
    uri: "nbd://localhost:1234/disk%201",
    nbd: "nbd:localhost:1234:exportname=disk 1",
    port: "1234",
    unixsocket: "",
    exportname: "disk 1",
  });
});

Deno.test("of several listeners the first of each kind is told", () => {
  const uris = ["nbd+unix:///?socket=/a", "nbd://[::1]:1", "nbd+unix:///?socket=/b", "nbd://h:2"];
  const { uri, port, unixsocket } = captiveVariables(uris, "");
  assert.deepEqual([uri, port, unixsocket], ["nbd+unix:///?socket=/a", "1", "/a"]);
});
