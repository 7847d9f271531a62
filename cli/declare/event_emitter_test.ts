// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { EventEmitter as NodeEventEmitter } from "node:events";
import { EventEmitter } from "./event_emitter.ts";

for (const Emitter of [EventEmitter, NodeEventEmitter]) {
  Deno.test(`${Emitter === EventEmitter ? "ours" : "node's"} calls listeners in order`, () => {
    const emitter = new Emitter();
    const calls: unknown[] = [];
    emitter.on("a", (...values) => calls.push(1, ...values)).on("a", () => calls.push(2));
    assert.equal(emitter.emit("a", "x", null), true);
    assert.equal(emitter.emit("b"), false);
    assert.deepEqual(calls, [1, "x", null, 2]);
    assert.equal(emitter.listenerCount("a"), 2);
    assert.equal(emitter.listenerCount("b"), 0);
  });
}
