// SPDX-License-Identifier: MIT
// Faults in the filter subjects/assembly/filter.ts.

import type { Fault } from "./faults.ts";

const NEXT_READ =
  "const status = nextPread(handle, 0, one.data, count, offset + SKIPPED, 0, token(one));";
const READ_PENDS = "return status == PENDING ? PENDING : read(one, status);";
const WRITE_PENDS = "return status == PENDING ? PENDING : written(one, status);";
const HAVE_READ = "complete(request, read(taskOf<Work>(token), result));";
const HAVE_WRITTEN = "complete(request, written(taskOf<Work>(token), result));";
const FLUSH = "return nextForward(request, 0, 0, 0, 0, flags, 0);";
const TRIM =
  "export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32)" +
  ": i32 {\n  return nextForward(request, 0, 0, count, offset + SKIPPED, flags, 0);";
const DISGUISED = "disguise(one.data, data, one.count);";
const SIZE = "export function sb_size(handle: i32): i64 {";
/** Says that it has FUA: 1, of the host's making, or 2, of its own. */
const infoWith = (fua: number) =>
  `export function sb_info(handle: i32, info: Info): i32 { info.fua = ${fua}; return 0; }\n${SIZE}`;
const IMPORTS_INFO = ["  nextFlush,", "  Info,\n  nextFlush,"] as const;

export const FILTER_FAULTS: readonly Fault[] = [
  {
    name: "its size is that of the child, which it does not show as a whole",
    edits: [[": size - SKIPPED;", ": size;"]],
    found: "read",
    says:
      /breaks the ABI in sb_pread: next_pread: \d+ bytes at \d+ reach beyond the end of the child/,
  },
  {
    name: "reads and writes go to different places",
    edits: [[NEXT_READ, NEXT_READ.replace("offset + SKIPPED", "offset")]],
    found: "write",
    says: /must be/,
  },
  {
    name: "bytes are combined with where they are in the request",
    edits: [["load<u8>(from + i) ^ key", "load<u8>(from + i) ^ key ^ <u8>i"]],
    found: "read",
    says: /must be/,
  },
  {
    name: "what comes late is handed on as it is below",
    edits: [[HAVE_READ, "end(taskOf<Work>(token));\n  complete(request, result);"]],
    found: "overlap",
    says: /the byte at \d+ is/,
  },
  {
    name: "a read that pends is answered at once",
    edits: [[READ_PENDS, "return read(one, status == PENDING ? 0 : status);"]],
    found: "below",
    says: /above a device that answers late: /,
  },
  {
    name: "the memory of a write is given back while the child still reads it",
    edits: [[
      WRITE_PENDS,
      "free(one.data, one.count);\n  return status == PENDING ? PENDING : written(one, status);",
    ], ["  free(one.data, one.count);\n  end(one);", "  end(one);"]],
    found: "overlap",
    says: /must be/,
  },
  {
    name: "a write is put in disguise where it lies",
    edits: [[
      DISGUISED,
      "disguise(data, data, one.count);\n  memory.copy(one.data, data, one.count);",
    ]],
    found: "write",
    says: /it changed memory of the host: byte \d+ of the payload of a write/,
  },
  {
    name: "a read that fails below succeeds",
    edits: [[
      "  end(one);\n  return result;\n}\n\nexport function sb_pwrite",
      "  end(one);\n  return 0;\n}\n\nexport function sb_pwrite",
    ]],
    found: "errors",
    says: /must be/,
  },
  {
    name: "a write that fails below succeeds",
    edits: [[
      "  free(one.data, one.count);\n  end(one);\n  return result;",
      "  free(one.data, one.count);\n  end(one);\n  return 0;",
    ]],
    found: "errors",
    says: /must be/,
  },
  {
    name: "a request that fails below is never finished",
    edits: [[HAVE_READ, `if (result) return;\n  ${HAVE_READ}`]],
    found: "errors",
    says: /never answered/,
  },
  {
    name: "a write is finished twice",
    edits: [[HAVE_WRITTEN, `${HAVE_WRITTEN}\n  complete(request, 0);`]],
    found: "overlap",
    says: /breaks the ABI in sb_done: complete: request \d+ is not under way|there is no request/,
  },
  {
    name: "a flush is not passed on",
    edits: [[FLUSH, "return 0;"]],
    found: "flush",
    says: /after flush after write of .*, child 0 holds writes that are not on stable storage/,
  },
  {
    name: "it says that it has FUA, but does not pass it on",
    edits: [[SIZE, infoWith(2)], IMPORTS_INFO],
    found: "flush",
    says: /after write of .* with FUA, child 0 holds writes that are not on stable storage/,
  },
  {
    name: "it flushes where the child cannot",
    edits: [[SIZE, infoWith(1)], IMPORTS_INFO],
    found: "below",
    says: /above a device that can only read and write: .*breaks the ABI in (sb_flush|sb_info)/,
  },
  {
    name: "a trim goes to the wrong place",
    edits: [[TRIM, TRIM.replace("offset + SKIPPED", "offset")]],
    found: "trim",
    says: /after trim of .*must be/,
  },
  {
    name: "a trim of the last bytes reaches beyond the end",
    edits: [[TRIM, TRIM.replace("count, offset", "count + 1, offset")]],
    found: "trim",
    says: /after trim of|breaks the ABI in sb_trim: next_forward: /,
  },
  {
    name: "writes keep their memory",
    edits: [["  free(one.data, one.count);\n  end(one);", "  end(one);"]],
    found: "leaks",
    says: /its memory grows by/,
  },
  {
    name: "a child that is too small gives a size below zero",
    edits: [["size < SKIPPED ?", "false ?"]],
    found: "below",
    says: /above a device of 0 bytes: .*breaks the ABI in sb_size/,
  },
  {
    name: "the requests that are under way share what it remembers",
    edits: [
      [
        "const one = data ? begin<Work>(next) : null;",
        "const one = data ? (last ? last : begin<Work>(next)) : null;\n  last = one;\n  if (one) then(one, next);",
      ],
      ["let key: u8 = 0;", "let key: u8 = 0;\nlet last: Work | null = null;"],
      ["  token,\n} from", "  then,\n  token,\n} from"],
    ],
    found: "overlap",
    says: /./,
  },
  {
    name: "the manifest says what it does with a call that it does not have",
    manifest: { calls: { pread: "transform", pwrite: "transform", zero: "transform" } },
    found: "manifest",
    says: /"calls" says what it does with zero, but there is no sb_zero/,
  },
  {
    name: "it opens read-only what it writes to",
    manifest: { next_read_only: true, calls: { pread: "transform" } },
    found: "manifest",
    says: /it passes writes on to children that it opens read-only/,
  },
];
