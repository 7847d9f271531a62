// SPDX-License-Identifier: MIT
// What follows for a filter from what is below it.

import assert from "node:assert/strict";
import { BLOCK_SIZE_DEFAULT, type ExportInfo, Support } from "../block/export.ts";
import { filterInfo } from "./filter_info.ts";
import { PLAIN_NODE } from "./manifest_node.ts";

const { None, Emulate, Native } = Support;

function child(minimum = 1, preferred = 4096, maximum = 33554432, fua: Support = Native) {
  return {
    blockSize: { minimum, preferred, maximum },
    can: {
      write: Native,
      flush: Native,
      fua,
      trim: Native,
      zero: Native,
      fastZero: None,
      cache: Native,
      extents: Native,
      multiConn: Native,
      secureErase: None,
      ioctl: None,
    },
    rotational: false,
  } as unknown as ExportInfo;
}

function blocks(...children: ExportInfo[]): number[] {
  const { blockMinimum, blockPreferred, blockMaximum } = filterInfo(
    new Set(["sb_pread"]),
    PLAIN_NODE,
    children,
  );
  return [blockMinimum, blockPreferred, blockMaximum];
}

Deno.test("block sizes suit every child", () => {
  const { minimum, preferred, maximum } = BLOCK_SIZE_DEFAULT;
  assert.deepEqual(blocks(child(minimum, preferred, maximum)), [1, 4096, 33554432]);
  assert.deepEqual(blocks(child(512), child(4096, 65536)), [4096, 65536, 33554432]);
  assert.deepEqual(blocks(child(1, 512, 5000), child(4096, 4096)), [4096, 4096, 4096]);
  assert.deepEqual(blocks(child(1, 4096, 8192), child(1, 1 << 25)), [1, 8192, 8192]);
  assert.deepEqual(blocks(child(1, 512, 5000), child(1, 65536)), [1, 4096, 5000]);
  assert.deepEqual(blocks(child(1, 4096, 0xffffffff)), [1, 4096, 0xffffffff]);
});

Deno.test("children without a block size in common are refused", () => {
  assert.throws(() => blocks(child(65536, 65536), child(1, 512, 4096)), {
    name: "BlockError",
    message: "cannot use devices together of which one takes blocks of at least 65536 bytes " +
      "and another of at most 4096",
  });
});

Deno.test("a filter that passes durable calls on has them natively, by whatever means below", () => {
  const fua = (exports: string[], below: Support) =>
    filterInfo(new Set(exports), PLAIN_NODE, [child(1, 4096, 33554432, below)]).fua;
  for (const call of ["sb_pwrite", "sb_trim", "sb_zero"]) {
    assert.equal(fua([call], Emulate), Native, call);
    assert.equal(fua([call], None), None, call);
  }
  assert.equal(fua(["sb_pread"], Emulate), Emulate);
});
