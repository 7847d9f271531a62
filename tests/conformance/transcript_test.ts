// SPDX-License-Identifier: MIT
// Whole conversations byte for byte, written down from the text of the protocol: they do not go
// through any of the code that encodes messages, so that no mistake of it can hide one.

import assert from "node:assert/strict";
import { TestServer } from "../support/server.ts";

type Line = { send: string } | { receive: string };
const send = (...hex: string[]): Line => ({ send: hex.join("") });
const receive = (...hex: string[]): Line => ({ receive: hex.join("") });

const OPTION = "49484156454f5054";
const REPLY = "0003e889045565a9";
const GREETING = [receive("4e42444d41474943", OPTION, "0003"), send("00000003")];

const conversations: Record<string, Line[]> = {
  "a handshake by GO, a write, a read and goodbye with simple replies": [
    ...GREETING,
    send(OPTION, "00000007", "00000006", "00000000", "0000"),
    receive(REPLY, "00000007", "00000003", "0000000c", "0000", "0000000000020000"),
    // Flags are in another test.
    receive(".".repeat(4)),
    receive(REPLY, "00000007", "00000001", "00000000"),
    send(
      "25609513",
      "0000",
      "0001",
      "1122334455667788",
      "0000000000000200",
      "00000004",
      "deadbeef",
    ),
    receive("67446698", "00000000", "1122334455667788"),
    send("25609513", "0000", "0000", "1122334455667789", "0000000000000200", "00000006"),
    receive("67446698", "00000000", "1122334455667789", "deadbeef0000"),
    send("25609513", "0000", "0000", "112233445566778a", "0000000000020000", "00000001"),
    receive("67446698", "00000016", "112233445566778a"),
    send("25609513", "0000", "0002", "0000000000000000", "0000000000000000", "00000000"),
  ],
  "a read of data and a hole with structured replies": [
    ...GREETING,
    send(OPTION, "00000008", "00000000"),
    receive(REPLY, "00000008", "00000001", "00000000"),
    send(OPTION, "00000001", "00000000"),
    receive("0000000000020000", "...."),
    send("25609513", "0000", "0001", "0000000000000001", "0000000000000000", "00000002", "cafe"),
    // A command without payload may be answered by either form.
    receive("67446698", "00000000", "0000000000000001"),
    send("25609513", "0000", "0000", "0000000000000002", "0000000000000000", "00000002"),
    receive("668e33ef", "0001", "0001", "0000000000000002", "0000000a"),
    receive("0000000000000000", "cafe"),
    send("25609513", "0000", "0000", "0000000000000003", "0000000000010000", "00000200"),
    receive("668e33ef", "0001", "0002", "0000000000000003", "0000000c"),
    receive("0000000000010000", "00000200"),
    send("25609513", "0000", "0000", "0000000000000004", "0000000000000000", "00000000"),
    receive("668e33ef", "0001", "0000", "0000000000000004", "00000000"),
  ],
  "a write and block status with extended headers": [
    ...GREETING,
    send(OPTION, "0000000b", "00000000"),
    receive(REPLY, "0000000b", "00000001", "00000000"),
    send(OPTION, "0000000a", "0000001b", "00000000", "00000001", "0000000f"),
    send("626173653a616c6c6f636174696f6e"),
    receive(REPLY, "0000000a", "00000004", "00000013", "00000001"),
    receive("626173653a616c6c6f636174696f6e"),
    receive(REPLY, "0000000a", "00000001", "00000000"),
    send(OPTION, "00000007", "00000008", "00000000", "0001", "0003"),
    receive(REPLY, "00000007", "00000003", "0000000c", "0000", "0000000000020000", "...."),
    receive(REPLY, "00000007", "00000003", "0000000e", "0003", ".".repeat(24)),
    receive(REPLY, "00000007", "00000001", "00000000"),
    send("21e41c71", "0020", "0001", "00000000000000aa", "0000000000000000", "0000000000010000"),
    send("5a".repeat(0x10000)),
    receive("6e8a278c", "0001", "0000", "00000000000000aa"),
    receive("0000000000000000", "0000000000000000"),
    send("21e41c71", "0000", "0007", "00000000000000ab", "0000000000000000", "0000000000020000"),
    receive("6e8a278c", "0001", "0006", "00000000000000ab"),
    receive("0000000000000000", "0000000000000028", "00000001", "00000002"),
    // What was written is there, the rest is a hole.
    receive("0000000000010000", "0000000000000000", "0000000000010000", "0000000000000003"),
  ],
};

for (const [name, lines] of Object.entries(conversations)) {
  Deno.test(name, async () => {
    await using server = await TestServer.start(["memory", "131072"]);
    await using client = await server.connect();
    for (const [index, line] of lines.entries()) {
      if ("send" in line) await client.send(Uint8Array.fromHex(line.send));
      else {
        const hex = (await client.take(line.receive.length / 2)).toHex();
        const expected = new RegExp(`^${line.receive}$`);
        assert.ok(expected.test(hex), `line ${index}: ${hex} instead of ${line.receive}`);
      }
    }
    if (lines.at(-1)! && "send" in lines.at(-1)!) await client.closed();
  });
}
