// SPDX-License-Identifier: MIT
// The rows and how they are selected.

import assert from "node:assert/strict";
import { ROWS, selectRows } from "./rows.ts";

Deno.test("every row has a name of its own", () => {
  assert.equal(new Set(ROWS.map((row) => row.name)).size, ROWS.length);
});

Deno.test("both media have 4k random rows at depth 1, 16 and 64 and sequential rows of 128k and 1M", () => {
  for (const medium of ["memory", "file"]) {
    for (const connections of [1, 4]) {
      const rows = ROWS.filter((row) => row.medium === medium && row.connections === connections);
      const loads = rows.map((row) => `${row.pattern} ${row.blockBytes / 1024}k`);
      assert.deepEqual([...new Set(loads)].sort(), [
        "randread 4k",
        "randwrite 4k",
        "read 1024k",
        "read 128k",
        "write 1024k",
        "write 128k",
      ]);
      for (const pattern of ["randread", "randwrite"]) {
        const depths = rows.filter((row) => row.pattern === pattern).map((row) => row.depth);
        assert.deepEqual(depths, [1, 16, 64]);
      }
    }
  }
});

Deno.test("a name without a medium selects the row of both media, in the order of the table", () => {
  const names = selectRows(["file/write-1m", "randread-1"]).map((row) => row.name);
  assert.deepEqual(names, ["memory/randread-1", "file/randread-1", "file/write-1m"]);
});

Deno.test("a name that selects nothing is refused with the names there are", () => {
  assert.throws(() => selectRows(["randread-2"]), /cannot select row "randread-2".*randread-16x4/);
});
