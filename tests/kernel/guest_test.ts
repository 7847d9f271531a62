// SPDX-License-Identifier: MIT
// The harness itself: what a guest is and what comes back from it.

import assert from "node:assert/strict";
import { TestDirectory } from "../support/directory.ts";
import { sandblock } from "../support/program.ts";
import { shellWords } from "../support/peers.ts";
import { kernelTest } from "./chosen.ts";
import { runGuest } from "./guest.ts";
import { kernel } from "./kernels.ts";

kernelTest(
  "a guest runs sandblock as root and gives its status and output back",
  async (version) => {
    using directory = new TestDirectory();
    const { code, output, complaints } = await runGuest(
      `uname -r; id -u; ${shellWords(sandblock())} --version
     echo kept > ${directory.path}/kept; echo lost > /etc/lost; exit 7`,
      { kernel: version, share: directory.path },
    );
    assert.equal(output.split("\n")[0], kernel(version).release);
    assert.match(output, /^0\nsandblock \d/m);
    assert.equal(code, 7);
    assert.deepEqual(complaints, []);
    assert.equal(Deno.readTextFileSync(directory.file("kept")), "kept\n");
    assert.throws(() => Deno.statSync("/etc/lost"), Deno.errors.NotFound);
  },
);

kernelTest("what a kernel complains about is told", async (version) => {
  const { code, complaints } = await runGuest("echo c > /proc/sysrq-trigger; sleep 60", {
    kernel: version,
  });
  assert.equal(code, null);
  assert.match(complaints.join("\n"), /Kernel panic.*sysrq triggered crash/);
}, { among: ["6.1"] });
