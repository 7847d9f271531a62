// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { InflightRequest } from "./inflight_request.ts";
import { partUnit, WriteStream } from "./write_stream.ts";

const KIBIBYTE = 1024;

function stream(offset: number, length: number, unit: number): WriteStream {
  const whole = new InflightRequest();
  whole.offsetHigh = Math.floor(offset / 2 ** 32);
  whole.offsetLow = offset >>> 0;
  whole.lengthLow = length;
  return new WriteStream(whole, length, unit);
}

Deno.test("parts of a write end where blocks of the export do, wherever the write begins", () => {
  for (const start of [0, 5, 4096, 60_000, 2 ** 32 - 100, 2 ** 32 + 7, 2 ** 40 + 123_457]) {
    for (const unit of [1, 4096, 65536, 262144]) {
      const one = stream(start, 1_000_000, unit);
      const part = new InflightRequest();
      let at = start;
      let held = 0;
      for (let turn = 0; one.left > 0; turn++) {
        assert(turn < 1000, "it gets on");
        held = Math.min(held + 30_011, one.left);
        const length = one.partLength(held);
        if (length === 0) {
          assert(held < one.wanted, "what was waited for is enough");
          continue;
        }
        one.takePart(part, 1, length);
        assert.equal(part.offsetHigh * 2 ** 32 + part.offsetLow, at);
        at += length;
        held -= length;
        assert(one.left === 0 || at % unit === 0, `${start} ${unit}: ${at}`);
      }
      assert.equal(at, start + 1_000_000);
    }
  }
});

Deno.test("parts end at pages at least, and at preferred blocks that are not too large", () => {
  assert.equal(partUnit(1, 512), 4096);
  assert.equal(partUnit(65536, 65536), 65536);
  assert.equal(partUnit(1, 128 * KIBIBYTE), 128 * KIBIBYTE);
  assert.equal(partUnit(512, 32 * KIBIBYTE * KIBIBYTE), 256 * KIBIBYTE);
});
