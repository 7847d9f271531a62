// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { closeDescriptor } from "../../native/descriptor.ts";
import { Waiter } from "../../native/waiter.ts";
import { parseUri } from "../nbd/uri.ts";
import { Loopback } from "../nbd/testing/loopback.ts";
import { exportInfo, ModelDirectory } from "../nbd/testing/model_export.ts";
import { checkRemote, connectToOne } from "./nbd_remote.ts";

/** A server of the handshake. Its port, and how to end it. */
function serve(size: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      const server = new Loopback(new ModelDirectory([exportInfo(size, { name: "disk" })]));
      await connection.write(server.takeOutput());
      const chunk = new Uint8Array(4096);
      for (;;) {
        const length = await connection.read(chunk);
        if (length === null) break;
        server.receive(chunk.subarray(0, length));
        const output = server.takeOutput();
        if (output.length > 0) await connection.write(output);
      }
      connection.close();
    }
  })().catch(() => {});
  const uri = (name: string) => parseUri(`nbd://127.0.0.1:${listener.addr.port}/${name}`);
  return { uri, end: () => (listener.close(), serving) };
}

/** A port that nobody listens on. */
function deadUri() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return parseUri(`nbd://127.0.0.1:${listener.addr.port}`);
}

Deno.test("the first server that can be used is taken", async () => {
  const server = serve(65536);
  const waiter = new Waiter();
  const uris = [deadUri(), server.uri("none"), server.uri("disk")];
  const { fd, uri, agreement } = await connectToOne(uris, waiter, () => {});
  assert.equal(uri, uris[2]);
  assert.equal(agreement.size, 65536n);
  closeDescriptor(fd);
  await server.end();
  waiter.stop();
});

Deno.test("why the last one could not be used is told", async () => {
  const server = serve(65536);
  const waiter = new Waiter();
  const attempt = (uris: ReturnType<typeof deadUri>[], check = () => {}) =>
    connectToOne(uris, waiter, check);
  await assert.rejects(attempt([deadUri()]), /^Error: cannot use nbd:.*: Connection refused/);
  await assert.rejects(attempt([server.uri("none")]), /the server says ".*"none"/);
  const refuse = () => {
    throw new Error("it is too small");
  };
  await assert.rejects(attempt([server.uri("disk")], refuse), /\/disk: it is too small$/);
  await server.end();
  waiter.stop();
});

Deno.test("a server that says nothing is given up when the wait is stopped", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const waiter = new Waiter();
  const uri = parseUri(`nbd://127.0.0.1:${listener.addr.port}`);
  const attempt = connectToOne([uri], waiter, () => {});
  const connection = await listener.accept();
  waiter.stop();
  await assert.rejects(attempt, /given up/);
  connection.close();
  listener.close();
});

Deno.test("what the kernel cannot use is refused", () => {
  const checked = (text: string) => () => checkRemote(parseUri(text));
  checked("nbd://host/x")();
  checked("nbd+unix:///x?socket=/s")();
  assert.throws(checked("nbds://host"), /does not speak TLS/);
  assert.throws(checked("nbd+vsock://1"), /VSOCK/);
});
