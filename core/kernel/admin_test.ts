// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { AdminServer, askAdmin } from "./admin.ts";

async function withServer(body: (path: string) => Promise<void>): Promise<void> {
  const directory = Deno.makeTempDirSync({ prefix: "sandblock-admin-" });
  const path = `${directory}/nbd0.sock`;
  const server = new AdminServer(path, {
    add: ({ a, b }) => ({ sum: Number(a) + Number(b) }),
    fail: () => Promise.reject(new Error("cannot do that: it is Sunday")),
  });
  try {
    await body(path);
  } finally {
    server.close();
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("a command is answered, and its socket is the user's only", () =>
  withServer(async (path) => {
    assert.equal((await askAdmin(path, { command: "add", a: 2, b: 3 }))?.["sum"], 5);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
  }));

Deno.test("what fails, and what is unknown, is refused with a reason", () =>
  withServer(async (path) => {
    await assert.rejects(askAdmin(path, { command: "fail" }), /it is Sunday/);
    await assert.rejects(askAdmin(path, { command: "toString" }), /the commands are add, fail/);
  }));

Deno.test("nonsense is answered and does no harm", () =>
  withServer(async (path) => {
    for (const nonsense of ["{", "null", "[]", "x".repeat(1 << 17)]) {
      const connection = await Deno.connect({ transport: "unix", path });
      const feed = async () => {
        const bytes = new TextEncoder().encode(nonsense + "\n");
        for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      };
      const fed = feed().catch(() => {});
      const answer = new Uint8Array(4096);
      const length = await connection.read(answer).catch(() => null);
      if (length !== null) {
        assert.match(new TextDecoder().decode(answer.subarray(0, length)), /"ok":false/);
      }
      await fed;
      connection.close();
    }
    assert.equal((await askAdmin(path, { command: "add", a: 1, b: 1 }))?.["sum"], 2);
  }));

Deno.test("where nobody listens there is no answer", async () => {
  assert.equal(await askAdmin("/tmp/sandblock-no-such-socket", { command: "add" }), null);
});
