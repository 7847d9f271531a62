// SPDX-License-Identifier: MIT
// How failures of a device reach the client (proto.md "Error values", "NBD_REPLY_TYPE_ERROR",
// "NBD_REPLY_TYPE_ERROR_OFFSET"): the errno, the place, the words.

import assert from "node:assert/strict";
import { Command } from "../../core/block/request.ts";
import { CommandFlag, Replies, ReplyType, STRING_MAX, WireErrno } from "../../core/nbd/wire.ts";
import { assertSameBytes, concatenated, filled } from "../support/bytes.ts";
import { servePlugin } from "../support/plugin_server.ts";
import { TestServer } from "../support/server.ts";
import { rangeCall, textAt } from "../support/wat_plugin.ts";

const FRAMINGS = Object.entries(Replies);
const CHUNKED = FRAMINGS.filter(([, replies]) => replies !== Replies.Simple);
const BAD = "block 1 is worn out";

/** Fails with the errno that the number of the 512-byte block is. */
const ERRNO_PLUGIN = {
  body: `${rangeCall("sb_pread", "(i32.wrap_i64 (i64.shr_u (local.get $offset) (i64.const 9)))")}
    ${rangeCall("sb_zero", "(i32.wrap_i64 (i64.shr_u (local.get $offset) (i64.const 9)))")}
    (func (export "sb_pwrite") (param $h i32) (param $request i32) (param i32) (param i64)
      (param $offset i64) (param i32) (result i32)
      (i32.wrap_i64 (i64.shr_u (local.get $offset) (i64.const 9))))`,
};

/** Reads "abcd..." except that bytes 512 to 1023 of each request fail. */
const WORN_PLUGIN = {
  body: `${textAt(0, "a".repeat(512))} ${textAt(512, "z".repeat(4096))} ${textAt(8192, BAD)}
    ${
    rangeCall(
      "sb_pread",
      `(call $error_text (i32.const 8192) (i32.const ${BAD.length}))
       (call $reply_data (local.get $request) (i64.const 0) (i32.const 0) (i64.const 512)
         (i32.const 1))
       (call $reply_error (local.get $request) (i64.const 512) (i64.const 512) (i32.const 5))
       (call $reply_data (local.get $request) (i64.const 1024) (i32.const 512)
         (i64.sub (local.get $count) (i64.const 1024)) (i32.const 0))
       (i32.const 0)`,
    )
  }`,
};

/** Fails every read with the text at address 0. */
function talking(text: Uint8Array) {
  const code = `(call $error_text (i32.const 0) (i32.const ${text.length})) (i32.const 28)`;
  return { body: `${textAt(0, text)} ${rangeCall("sb_pread", code)}` };
}

Deno.test("every errno of a device is one of the few that may be on the wire", async () => {
  await using server = await servePlugin(ERRNO_PLUGIN);
  const wire: number[] = Object.values(WireErrno);
  const read = (await fail(server, Command.Read)).map(([errno, told]) => {
    assert.ok(wire.includes(told), `${errno} became ${told}`);
    return [errno, told] as const;
  });
  const told = new Map(read);
  for (const errno of [1, 5, 12, 22, 28, 75, 108]) assert.equal(told.get(errno), errno);
  const [EACCES, EROFS, EFBIG, EDQUOT, EOPNOTSUPP] = [13, 30, 27, 122, 95];
  assert.equal(told.get(EACCES), WireErrno.EPERM);
  assert.equal(told.get(EROFS), WireErrno.EPERM);
  assert.equal(told.get(EFBIG), WireErrno.ENOSPC);
  assert.equal(told.get(EDQUOT), WireErrno.ENOSPC);
  // ENOTSUP means that a fast zero would be slow, and nothing else.
  assert.notEqual(told.get(EOPNOTSUPP), WireErrno.ENOTSUP);
});

/** What is told for each errno that a device can have. */
async function fail(server: TestServer, command: number): Promise<[number, number][]> {
  await using client = await server.client();
  const told: [number, number][] = [];
  for (let errno = 1; errno <= 133; errno++) {
    told.push([errno, await client.perform(command, BigInt(errno * 512), 1n)]);
  }
  return told;
}

Deno.test("ENOTSUP is told for FAST_ZERO only", async () => {
  await using server = await servePlugin(ERRNO_PLUGIN);
  await using client = await server.client();
  const place = 95n * 512n;
  assert.notEqual(await client.perform(Command.WriteZeroes, place, 1n), WireErrno.ENOTSUP);
  const fast = await client.perform(Command.WriteZeroes, place, 1n, CommandFlag.FastZero);
  // The host may have no way to offer it for this plugin.
  assert.ok(fast === WireErrno.ENOTSUP || fast === WireErrno.EINVAL, `${fast}`);
});

Deno.test("EOVERFLOW is not told for a write", async () => {
  await using server = await servePlugin(ERRNO_PLUGIN);
  await using client = await server.client();
  assert.equal(await client.write(75 * 512, filled(1, 1)), WireErrno.EINVAL);
  assert.equal(await client.write(28 * 512, filled(1, 1)), WireErrno.ENOSPC);
});

for (const [name, replies] of CHUNKED) {
  Deno.test(`a read that fails in part answers the rest and says where and why, ${name}`, async () => {
    await using server = await servePlugin(WORN_PLUGIN);
    await using client = await server.client({ replies });
    const request = { command: Command.Read, offset: 4096n, length: 4096n };
    // The client fails where content overlaps, comes behind its error, or kinds of errors are mixed.
    const answer = await client.request(request);
    assert.deepEqual(answer.failures, [{ errno: 5, message: BAD, offset: 4096n + 512n }]);
    const expected = concatenated(filled(512, 0x61), filled(512, 0), filled(3072, 0x7a));
    assertSameBytes(answer.data(), expected);
  });

  Deno.test(`a DF read that fails in part is one padded chunk and its error, ${name}`, async () => {
    await using server = await servePlugin(WORN_PLUGIN);
    await using client = await server.client({ replies });
    const flags = CommandFlag.Df;
    const cookie = await client.post({ command: Command.Read, length: 4096n, flags });
    const [content, error] = [await client.reply(), await client.reply()];
    assert.equal(content.type, ReplyType.OffsetData);
    assert.equal(content.done, false, "DONE came before an error");
    assert.equal(error.type, ReplyType.ErrorOffset);
    assert.ok(error.done);
    const answer = await client.answer(cookie);
    assert.deepEqual(answer.failures, [{ errno: 5, message: BAD, offset: 512n }]);
    assert.equal(answer.content()[0]!.length, 4096n);
  });

  Deno.test(`a read across the end that fails in part has both errors, ${name}`, async () => {
    await using server = await servePlugin(WORN_PLUGIN);
    await using client = await server.client({ replies });
    const end = 1048576n;
    const request = { command: Command.Read, offset: end - 4096n, length: 8192n };
    const { failures } = await client.request(request);
    assert.deepEqual(failures.map(({ offset }) => offset), [end - 4096n + 512n, end]);
  });

  Deno.test(`refused requests say why, ${name}`, async () => {
    await using server = await TestServer.start(["-r", "memory", "1M"]);
    await using client = await server.client({ replies });
    const refused: [number, bigint, number, RegExp][] = [
      [Command.Read, 1n << 40n, 0, /end/],
      [Command.Trim, 0n, 0, /read-only/],
      [Command.Read, 0n, 0x8000, /0x8000/],
      [99, 0n, 0, /99/],
    ];
    for (const [command, offset, flags, words] of refused) {
      const { failures } = await client.request({ command, offset, length: 512n, flags });
      assert.match(failures[0]!.message, words);
    }
  });

  Deno.test(`an error text is cut at ${STRING_MAX} bytes, between characters, ${name}`, async () => {
    await using server = await servePlugin(talking(new TextEncoder().encode("€".repeat(2000))));
    await using client = await server.client({ replies });
    const { failures } = await client.request({ command: Command.Read, length: 512n });
    const [{ errno, message }] = failures as [typeof failures[0]];
    assert.equal(errno, 28);
    assert.match(message, /^€+…?$/);
    assert.ok(new TextEncoder().encode(message).length <= STRING_MAX);
    assert.ok(message.length > 500);
  });

  Deno.test(`an error text that is not UTF-8 becomes UTF-8, ${name}`, async () => {
    await using server = await servePlugin(talking(Uint8Array.of(0x61, 0xc3, 0x28, 0x00, 0x62)));
    await using client = await server.client({ replies });
    // The client fails where it is not UTF-8.
    const { failures } = await client.request({ command: Command.Read, length: 512n });
    assert.match(failures[0]!.message, /a.*b/s);
  });
}

Deno.test("a read that fails in part fails as a whole with simple replies, in step", async () => {
  await using server = await servePlugin(WORN_PLUGIN);
  await using client = await server.client({ replies: Replies.Simple });
  assert.equal(await client.perform(Command.Read, 0n, 4096n), 5);
  assert.equal(await client.perform(Command.Read, 0n, 4096n), 5);
  assert.equal(await client.perform(Command.Flush), WireErrno.EINVAL);
});

Deno.test("a read in more pieces than make sense as chunks gives every byte", async () => {
  // Byte by byte, data and holes in turn.
  await using server = await servePlugin({
    body: `${textAt(0, "x")} ${
      rangeCall(
        "sb_pread",
        `(local $at i64)
         (loop $next
           (if (i64.eqz (i64.and (local.get $at) (i64.const 1)))
             (then (call $reply_data (local.get $request) (local.get $at) (i32.const 0)
               (i64.const 1) (i32.const 0)))
             (else (call $reply_zero (local.get $request) (local.get $at)
               (i64.const 1) (i32.const 1))))
           (local.set $at (i64.add (local.get $at) (i64.const 1)))
           (br_if $next (i64.lt_u (local.get $at) (local.get $count))))
         (i32.const 0)`,
      )
    }`,
  });
  for (const [, replies] of FRAMINGS) {
    await using client = await server.client({ replies });
    for (const length of [2, 100, 4096, 60_000]) {
      const data = await client.read(0, length);
      assert.ok(data.every((byte, at) => byte === (at % 2 === 0 ? 0x78 : 0)));
    }
  }
});
