// SPDX-License-Identifier: MIT
// The deadline on calls: what takes too long is ended, and nothing else.

import assert from "node:assert/strict";
import { BlockError, Errno } from "../block/errno.ts";
import { Command } from "../block/request.ts";
import { TestPlugin } from "./test_device.ts";
import { diskWat, RANGE } from "./test_plugins.ts";
import { RemoteWatchdog } from "./test_watchdog.ts";
import { CallCounter, tellThread, Watchdog } from "./watch.ts";

/** A watchdog with a clock that the test moves on. Looks happen by hand. */
function manual(timeoutMs: number) {
  let now = 0;
  const watchdog = new Watchdog({ now: () => now });
  const watch = watchdog.watch(timeoutMs);
  const counter = new CallCounter(watch);
  const look = (ms: number) => {
    now += ms;
    watchdog.look();
    return counter.expired;
  };
  return { watchdog, watch, counter, look };
}

Deno.test("a call is ended once it has taken its time, and only that call", () => {
  const { watchdog, counter, look } = manual(100);
  counter.enter();
  assert.equal(look(10), false, "it may have begun just now");
  for (let ms = 10; ms < 100; ms += 10) assert.equal(look(10), false);
  assert.equal(look(10), true);
  counter.leave();
  assert.equal(counter.expired, false);
  counter.enter();
  assert.equal(counter.expired, false);
  assert.equal(look(10), false);
  counter.leave();
  watchdog.stop();
});

Deno.test("calls that follow one another each have their own time", () => {
  const { watchdog, counter, look } = manual(100);
  for (let call = 0; call < 100; call++) {
    counter.enter();
    for (let ms = 0; ms < 90; ms += 10) assert.equal(look(10), false);
    counter.leave();
  }
  watchdog.stop();
});

Deno.test("no time passes while nothing is called", () => {
  const { watchdog, counter, look } = manual(100);
  for (let ms = 0; ms < 1000; ms += 10) assert.equal(look(10), false);
  counter.enter();
  assert.equal(look(10), false);
  counter.leave();
  watchdog.stop();
});

Deno.test("time that the watchdog itself was held up hardly counts", () => {
  const { watchdog, counter, look } = manual(100);
  counter.enter();
  look(10);
  assert.equal(look(1_000_000), false);
  assert.equal(look(1_000_000), false);
  counter.leave();
  watchdog.stop();
});

Deno.test("a call that ends just as the watchdog looks does not harm the next", () => {
  const { watchdog, watch, counter, look } = manual(100);
  counter.enter();
  for (let ms = 0; ms <= 90; ms += 10) look(10);
  // What look() does, with the end of the call between reading the word and setting it.
  const words = new Int32Array(watch.memory.buffer);
  const seen = words[0]!;
  counter.leave();
  counter.enter();
  Atomics.compareExchange(words, 0, seen, seen | -0x80000000);
  assert.equal(counter.expired, false);
  watchdog.stop();
});

Deno.test("long calls are told of, with their thread, until they end", () => {
  let now = 0;
  const told: string[] = [];
  const watchdog = new Watchdog({
    now: () => now,
    longCalls: {
      long: (thread) => void told.push(`long ${thread}`),
      over: (thread) => void told.push(`over ${thread}`),
    },
  });
  const watch = watchdog.watch(1000);
  tellThread(watch, 17);
  const counter = new CallCounter(watch);
  const look = (count: number) => {
    for (let i = 0; i < count; i++, now += 20) watchdog.look();
  };
  counter.enter();
  look(3);
  counter.leave();
  look(3);
  assert.deepEqual(told, [], "40 ms are not long");
  counter.enter();
  look(5);
  assert.deepEqual([...new Set(told)], ["long 17"]);
  counter.leave();
  look(3);
  assert.equal(told.at(-1), "over 17");
  assert.equal(told.filter((text) => text === "over 17").length, 1);
  counter.enter();
  look(5);
  watchdog.stop();
  assert.equal(told.at(-1), "over 17", "nobody is left behind");
});

Deno.test("call numbers wrap around", () => {
  const { watchdog, watch, look } = manual(100);
  const counter = new CallCounter(watch, 0x7ffffffe);
  const words = new Int32Array(watch.memory.buffer);
  const numbers = [];
  for (let call = 0; call < 2; call++) {
    counter.enter();
    numbers.push(words[0]);
    look(10);
    counter.leave();
    numbers.push(words[0]);
  }
  assert.deepEqual(numbers, [0x7fffffff, 0, 1, 2]);
  counter.enter();
  for (let ms = 0; ms < 150; ms += 10) look(10);
  assert.equal(counter.expired, true);
  watchdog.stop();
});

/** Runs `test` with a disk that has `replaced` functions and this timeout. */
async function watched(
  replaced: Record<string, string>,
  more: string,
  timeoutMs: number,
  test: (plugin: TestPlugin) => void,
): Promise<void> {
  using watchdog = new RemoteWatchdog();
  const watch = await watchdog.watch(timeoutMs);
  test(new TestPlugin(diskWat(replaced, more), { watch }));
}

const LOOP = `(func (export "sb_pread") ${RANGE}
  (if (i64.eqz (local.get $offset)) (then (loop (br 0))))
  (call $reply_zero (local.get $req) (i64.const 0) (local.get $count) (i32.const 0)) (i32.const 0))`;

Deno.test("an endless loop fails its request within the deadline, again and again", async () => {
  await watched({ sb_pread: LOOP }, "", 100, (plugin) => {
    for (let round = 0; round < 3; round++) {
      const startMs = performance.now();
      assert.equal(plugin.submit(Command.Read), Errno.EIO);
      const tookMs = performance.now() - startMs;
      assert(tookMs >= 100 && tookMs < 5000, `it took ${tookMs} ms`);
      assert.equal(plugin.request.errorText, 'plugin "test" took longer than 100 ms in sb_pread');
      assert.deepEqual(plugin.read(4096, 5), new Uint8Array(5));
    }
    assert.match(
      plugin.lines[0]!,
      /^error: plugin "test": took longer than 100 ms in sb_pread \(sb_pread\)$/,
    );
  });
});

Deno.test("an endless loop ends at most 50 ms after its deadline, also when all was quiet", async () => {
  using watchdog = new RemoteWatchdog();
  const watch = await watchdog.watch(200);
  const plugin = new TestPlugin(diskWat({ sb_pread: LOOP }), { watch });
  const words = new Int32Array(watch.memory.buffer);
  let leastMs = Infinity;
  // Other work on the machine can only make it later.
  for (let round = 0; round < 10 && leastMs >= 50; round++) {
    for (let waits = 0; waits < 200 && Atomics.load(words, 1) === 0; waits++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(Atomics.load(words, 1), 1, "the watchdog sleeps while nothing is called");
    await new Promise((resolve) => setTimeout(resolve, 50));
    const startMs = performance.now();
    assert.equal(plugin.submit(Command.Read), Errno.EIO);
    const lateMs = performance.now() - startMs - 200;
    assert(lateMs >= 0, `${lateMs} ms`);
    leastMs = Math.min(leastMs, lateMs);
  }
  assert(leastMs < 50, `${leastMs} ms late`);
});

Deno.test("endless recursion in tail position, loops by exceptions and rows of fills end too", async () => {
  const bodies = {
    tail: [`(call $forever)`, `(func $forever (return_call $forever))`],
    exception: [`(loop $l (try (do (throw $e)) (catch $e (br $l))))`, `(tag $e)`],
    fills: [
      `(loop $l ${
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const 262144))".repeat(50)
      } (br $l))`,
      "",
    ],
    indirect: [
      `(call $a)`,
      `(table 1 funcref) (elem (i32.const 0) func $a)
      (func $a (return_call_indirect (i32.const 0)))`,
    ],
  };
  for (const [body, more] of Object.values(bodies)) {
    const pread = `(func (export "sb_pread") ${RANGE} ${body} (i32.const 0))`;
    await watched({ sb_pread: pread }, more!, 50, (plugin) => {
      assert.equal(plugin.submit(Command.Read), Errno.EIO);
      assert.match(plugin.request.errorText, /took longer than 50 ms in sb_pread$/);
    });
  }
});

Deno.test("loops in every other function are ended as well", async () => {
  const loop = "(loop (br 0))";
  const cases: [string, (plugin: TestPlugin) => void][] = [
    [
      `(func (export "sb_flush") (param i32 i32 i32) (result i32) ${loop} (i32.const 0))`,
      (plugin) => {
        assert.equal(plugin.submit(Command.Flush), Errno.EIO);
      },
    ],
    [`(func (export "sb_list") (result i32) ${loop} (i32.const 0))`, ({ device }) => {
      assert.throws(() => device.list(), BlockError);
    }],
    [`(func (export "sb_close") (param i32) ${loop})`, (plugin) => plugin.opened.close()],
    [`(func (export "sb_stop") ${loop})`, (plugin) => plugin.device.close()],
  ];
  for (const [more, test] of cases) {
    await watched({}, more, 50, (plugin) => {
      plugin.read(0, 1);
      test(plugin);
      assert.match(plugin.lines.join(), /took longer than 50 ms in sb_/);
      plugin.read(0, 1);
    });
  }
});

Deno.test("loops before a plugin is ready end the start", async () => {
  using watchdog = new RemoteWatchdog();
  const watch = await watchdog.watch(50);
  const loop = "(loop (br 0))";
  const starts = [
    `(func $begin ${loop}) (start $begin)`,
    `(func (export "_initialize") ${loop})`,
    `(func (export "sb_ready") (result i32) ${loop} (i32.const 0))`,
  ];
  for (const more of starts) {
    assert.throws(() => new TestPlugin(diskWat({}, more), { watch }), {
      name: "BlockError",
      errno: Errno.EIO,
      message: /^plugin "test" took longer than 50 ms in /,
    });
  }
  const open = `(func (export "sb_open") (param i32 i32 i32) (result i32) ${loop} (i32.const 0))`;
  const plugin = new TestPlugin(diskWat({ sb_open: open }), { watch });
  assert.throws(() => plugin.opened, { message: /took longer than 50 ms in sb_open$/ });
});

Deno.test("an allocator that loops ends the call that needed it", async () => {
  const alloc =
    `(func (export "sb_alloc") (param i32 i32) (result i32) (loop (br 0)) (i32.const 0))`;
  const pread = `(func (export "sb_pread") ${RANGE}
    (drop (call $reply_buffer (local.get $req) (i64.const 0) (local.get $count))) (i32.const 0))`;
  await watched({ sb_alloc: alloc, sb_pread: pread }, "", 50, (plugin) => {
    assert.equal(plugin.device.memory.allocate(10, 1), 0);
    assert.notEqual(plugin.submit(Command.Read), 0);
  });
});

Deno.test("a plugin that is slow but in time is never ended", async () => {
  // Each read takes a good while in the plugin, and there are many more than fit in one timeout.
  const slow = `(func (export "sb_pread") ${RANGE} (local $n i32)
    (loop (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1)))
      (i32.const 2000000))))
    (call $reply_zero (local.get $req) (i64.const 0) (local.get $count) (i32.const 0)) (i32.const 0))`;
  // On a machine with much else to do a read may have to wait for a processor.
  await watched({ sb_pread: slow }, "", 1000, (plugin) => {
    const endMs = performance.now() + 2500;
    let reads = 0;
    for (; performance.now() < endMs; reads++) plugin.read(0, 16);
    assert(reads > 5, `only ${reads} reads`);
    assert.deepEqual(plugin.lines, []);
  });
});
