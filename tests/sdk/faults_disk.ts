// SPDX-License-Identifier: MIT
// Faults in the plugin subjects/assembly/disk.ts.

import type { Fault } from "./faults.ts";

const STABLE = "replyData(request, at, from, length, offset & 2 ? 0 : DataFlag.Stable);";
const COPY_IN = "memory.copy(place(handle, offset), data, <usize>count);";
const OPEN = "const handle = openHandle(disk);";
const CONNECT = "export function sb_connect(peer: usize, length: usize): i32 {";
const CACHE =
  "export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32)" +
  ": i32 {";
const FLUSH = "export function sb_flush(handle: i32, request: i32, flags: i32): i32 {";
const EXTENT = "extent(request, length, allocated ? 0 : ExtentFlag.Hole | ExtentFlag.Zero);";
const COMPLETE =
  "complete(late.request, answer(late.handle, late.request, late.count, late.offset));";
const FIRST_TRIMMED = "const first = offset + (BLOCK - offset % BLOCK) % BLOCK;";
const ALLOCATOR = "export { sb_alloc, sb_done, sb_free } from " +
  '"../../../../wasm-plugins/sdk/assemblyscript/assembly";';
const SDK = '"../../../../wasm-plugins/sdk/assemblyscript/assembly"';
const FAST = "if (flags & CallFlag.FastZero) return Errno.EOPNOTSUPP;";

export const READ_FAULTS: readonly Fault[] = [
  {
    name: "a read is answered one byte short",
    edits: [[
      "for (let at: u64 = 0; at < count;) {\n    const length = run(handle, offset + at, count - at);\n    const from",
      "for (let at: u64 = 0; at < count - 1;) {\n    const length = run(handle, offset + at, count - 1 - at);\n    const from",
    ]],
    found: "read",
    says: /breaks the ABI in sb_pread: it answered \d+ of \d+ bytes/,
  },
  {
    name: "offsets wrap at 64 KiB",
    edits: [["* size) + <usize>offset;", "* size) + <usize>(offset & 0xffff);"]],
    found: "write",
    says: /after .*writing everything|must be/,
  },
  {
    name: "one of the ways to read is off by one",
    edits: [[STABLE, STABLE.replace("from", "from + (offset & 2 ? 1 : 0)")]],
    found: "write",
    says: /the byte at \d+ is 0x/,
  },
  {
    name: "data that is called stable is overwritten by the next read",
    edits: [
      [
        STABLE,
        `memory.copy(maps + 1000000, from, <usize>length);
       replyData(request, at, maps + 1000000, length, DataFlag.Stable);`,
      ],
      ["allocZeroed(<usize>blocks * 2 + 16, 16)", "allocZeroed(3000000, 16)"],
    ],
    found: "stable",
    says: /changes afterwards, without a write/,
  },
  {
    name: "a lent buffer is changed after the answer",
    edits: [
      [
        "memory.copy(buffer, from, <usize>length);",
        "memory.copy(buffer, from, <usize>length); lent = buffer;",
      ],
      ["let writes: i64 = 0;", "let writes: i64 = 0;\nlet lent: usize = 0;"],
      [
        "if (count < LATE) return",
        "if (lent) store<u8>(lent, load<u8>(lent) + 1);\n  if (count < LATE) return",
      ],
    ],
    found: "stable",
    says: /changes afterwards, without a write: byte 0/,
  },
  {
    name: "the last byte of long reads fails",
    edits: [[
      STABLE,
      `if (length > 1000) {
        replyData(request, at, from, length - 1, 0);
        replyError(request, at + length - 1, 1, 5);
      } else ${STABLE}`,
    ], ["  replyData,\n", "  replyData,\n  replyError,\n"]],
    found: "write",
    says: /fails: 1 bytes of it with EIO/,
  },
  {
    name: "the largest reads fail",
    edits: [[
      "if (count < LATE) return",
      "if (count > 1 << 19) return Errno.ENOMEM;\n  if (count < LATE) return",
    ]],
    found: "read",
    says: /read of 1048576 bytes at 0 fails: ENOMEM/,
  },
  {
    name: "a hole is answered where there is data",
    edits: [["if (!load<u8>(mark(handle, offset + at))) {", "if (!load<u8>(mark(handle, at))) {"]],
    found: "random",
    says: /the byte at \d+ is 0x00/,
  },
  {
    name: "pieces overlap",
    edits: [[
      "    at += length;\n  }\n  return 0;\n}\n\n@unmanaged",
      "    at += length > 1 ? length - 1 : length;\n  }\n  return 0;\n}\n\n@unmanaged",
    ]],
    found: "read",
    says: /breaks the ABI in sb_pread: reply_zero: the piece at \d+ overlaps/,
  },
  {
    name: "an answer lies outside of the memory",
    edits: [[STABLE, STABLE.replace("from", "from + (1 << 29)")]],
    found: "write",
    says: /breaks the ABI in sb_pread: reply_data: \d+ bytes at \d+ are not in its memory/,
  },
  {
    name: "a late read is finished twice",
    edits: [[COMPLETE, `${COMPLETE}\n  complete(late.request, 0);`]],
    found: "read",
    says: /breaks the ABI in sb_done: complete: /,
  },
  {
    name: "a late read is finished with the number of another",
    edits: [[COMPLETE, COMPLETE.replace("complete(late.request,", "complete(late.request + 1,")]],
    found: "read",
    says: /never answered/,
  },
  {
    name: "a late read is never finished",
    edits: [[COMPLETE, "answer(late.handle, late.request, late.count, late.offset);"]],
    found: "read",
    says: /a request is never answered: it waits for nothing that could finish it/,
  },
  {
    name: "a late read is finished before its call has returned",
    edits: [[
      "const status = timer(1000, token(late));",
      "complete(request, answer(handle, request, count, offset));\n  const status = 0;",
    ]],
    found: "read",
    says: /breaks the ABI in sb_pread: complete: the call for request \d+ has not returned yet/,
  },
  {
    name: "late reads share what they remember",
    edits: [
      [
        "const late = begin<Late>(answerLate);",
        "const late = shared ? shared : begin<Late>(answerLate);\n  shared = late;",
      ],
      ["let writes: i64 = 0;", "let writes: i64 = 0;\nlet shared: Late | null = null;"],
      [`${COMPLETE}\n  end(late);`, COMPLETE],
    ],
    found: "overlap",
    says: /never answered|breaks the ABI/,
  },
];

export const WRITE_FAULTS: readonly Fault[] = [
  {
    name: "the last byte of a write is lost",
    edits: [[COPY_IN, COPY_IN.replace("<usize>count", "<usize>count - 1")]],
    found: "write",
    says: /after writing everything, read of \d+ bytes at \d+: the byte at \d+ is 0x00/,
  },
  {
    name: "a write changes one byte too many",
    edits: [[COPY_IN, COPY_IN.replace("<usize>count", "<usize>count + 1")]],
    found: "write",
    says: /after write of \d+ bytes? at \d+.*the byte at \d+ is 0xa5/,
  },
  {
    name: "a write that crosses 64 KiB is cut off",
    edits: [[
      COPY_IN,
      COPY_IN.replace("<usize>count", "<usize>min(count, 65536 - offset % 65536)"),
    ]],
    found: "write",
    says: /must be/,
  },
  {
    name: "only the first block of a write is marked as allocated",
    edits: [[
      "for (let at = offset - offset % BLOCK; at < offset + count; at += BLOCK) {\n    store<u8>(mark(handle, at), 1);\n  }\n  metric",
      "store<u8>(mark(handle, offset), 1);\n  metric",
    ]],
    found: "write",
    says: /is 0x00; it must be/,
  },
  {
    name: "a write is carried out when the next one comes",
    edits: [
      [
        COPY_IN,
        "if (count0) memory.copy(to0, data0, count0);\n  to0 = place(handle, offset); data0 = data; count0 = <usize>count;",
      ],
      [
        "let writes: i64 = 0;",
        "let writes: i64 = 0;\nlet to0: usize = 0;\nlet data0: usize = 0;\nlet count0: usize = 0;",
      ],
    ],
    found: "write",
    says: /must be/,
  },
  {
    name: "a write changes its payload",
    edits: [[COPY_IN, `${COPY_IN}\n  store<u8>(data, 0);`]],
    found: "write",
    says: /it changed memory of the host: byte 0 of the payload of a write/,
  },
  {
    name: "a write changes memory before its payload",
    edits: [[COPY_IN, `${COPY_IN}\n  store<u8>(data - 1, 0);`]],
    found: "write",
    says: /it changed memory of the host: 1 bytes before the payload of a write/,
  },
  {
    name: "writes with FUA are refused",
    edits: [[COPY_IN, `if (flags & CallFlag.Fua) return Errno.EINVAL;\n  ${COPY_IN}`]],
    found: "write",
    says: /with FUA fails: EINVAL/,
  },
  {
    name: "the last byte of a zeroed range stays",
    edits: [[
      "memory.fill(place(handle, offset), 0, <usize>count);\n  for",
      "memory.fill(place(handle, offset), 0, <usize>count - 1);\n  for",
    ]],
    found: "zero",
    says: /after zero of .* with NO_HOLE.*it must be 0x00/,
  },
  {
    name: "zeroing makes one byte too many zero",
    edits: [[
      "memory.fill(place(handle, offset), 0, <usize>count);\n  const",
      "memory.fill(place(handle, offset), 0, <usize>count + 1);\n  const",
    ]],
    found: "zero",
    says: /after zero of .*: the byte at \d+ is 0x00; it must be/,
  },
  {
    name: "zeroing makes holes where it may not",
    edits: [["if (flags & CallFlag.MayTrim) {", "if (true) {"]],
    found: "zero",
    says: /with NO_HOLE leaves a hole at/,
  },
  {
    name: "a fast zero is refused after it was done",
    edits: [[
      FAST,
      "if (flags & CallFlag.FastZero) { memory.fill(place(handle, offset), 0, <usize>count); return Errno.EOPNOTSUPP; }",
    ]],
    found: "fast-zero",
    says: /after zero of .*FAST_ZERO.*is 0x00; it must be/,
  },
  {
    name: "a fast zero is refused with the wrong error",
    edits: [[FAST, FAST.replace("EOPNOTSUPP", "EIO")]],
    found: "fast-zero",
    says: /fails: EIO; it may only be EOPNOTSUPP/,
  },
  {
    name: "a trim takes whole blocks where it covers parts of them",
    edits: [[FIRST_TRIMMED, "const first = offset - offset % BLOCK;"]],
    found: "trim",
    says: /after trim of .*is 0x00; it must be/,
  },
  {
    name: "a trim reaches too far",
    edits: [[
      "memory.fill(place(handle, offset), 0, <usize>count);\n  const",
      "memory.fill(place(handle, offset), 0, <usize>min(count + 512, size - offset));\n  const",
    ]],
    found: "trim",
    says: /after trim of .*is 0x00; it must be/,
  },
  {
    name: "a trim of parts of blocks is refused",
    edits: [[
      "  discard(handle, count, offset);\n  return 0;\n}\n\nexport function sb_zero",
      "  if (offset % BLOCK) return Errno.EINVAL;\n  discard(handle, count, offset);\n  return 0;\n}\n\nexport function sb_zero",
    ]],
    found: "trim",
    says: /trim of .* fails: EINVAL/,
  },
  {
    name: "a secure erase only says that it is done",
    edits: [["memory.fill(place(handle, offset), 0, <usize>count);\n  return 0;", "return 0;"]],
    found: "secure-erase",
    says: /what was at \d+ can still be read after a secure erase of it/,
  },
  {
    name: "a secure erase reaches too far",
    edits: [[
      "memory.fill(place(handle, offset), 0, <usize>count);\n  return 0;",
      "memory.fill(place(handle, offset), 0, <usize>min(count + 512, size - offset));\n  return 0;",
    ]],
    found: "secure-erase",
    says: /after secure erase of .*is 0x00; it must be/,
  },
  {
    name: "an ioctl writes behind its argument",
    edits: [[
      "if (number != <i32>0xc0022a01) return Errno.ENOTTY;",
      "store<u8>(argument + length, 1);\n  if (number != <i32>0xc0022a01) return Errno.ENOTTY;",
    ]],
    found: "ioctl",
    says: /it changed memory of the host: 0 bytes behind the payload|trapped in sb_ioctl/,
  },
  {
    name: "an ioctl that is not known changes the disk",
    edits: [[
      "if (number != <i32>0xc0022a01) return Errno.ENOTTY;",
      "if (number != <i32>0xc0022a01) {\n    store<u8>(place(handle, 0), load<u8>(place(handle, 0)) + 1);\n    return Errno.ENOTTY;\n  }",
    ]],
    found: "ioctl",
    says: /after ioctls that it cannot know, read of .*it must be/,
  },
];

export const STATE_FAULTS: readonly Fault[] = [
  {
    name: "allocated blocks are reported as holes",
    edits: [[EXTENT, EXTENT.replace("allocated ?", "!allocated ?")]],
    found: "extents",
    says: /it says that there are zeroes at \d+, but there is data/,
  },
  {
    name: "extents are those of the next block",
    edits: [[
      "const allocated = load<u8>(mark(handle, offset + at));",
      "const allocated = load<u8>(mark(handle, min(offset + at + BLOCK, size - 1)));",
    ]],
    found: "extents",
    says: /it says that there are zeroes at \d+, but there is data/,
  },
  {
    name: "an extent has no length",
    edits: [[EXTENT, EXTENT.replace("length", "at ? length : 0")]],
    found: "extents",
    says: /breaks the ABI in sb_extents: extent: /,
  },
  {
    name: "what is allocated is not reported at all",
    edits: [[EXTENT, `if (!allocated || at) ${EXTENT}`]],
    found: "extents",
    says: /it reported no extent|there are zeroes at \d+, but there is data/,
  },
  {
    name: "extents have flags that there are not",
    edits: [[EXTENT, EXTENT.replace("allocated ? 0", "allocated ? 4")]],
    found: "extents",
    says: /breaks the ABI in sb_extents: extent: unknown flags 0x4/,
  },
  {
    name: "a cache request fails in the middle of a block",
    edits: [[CACHE, `${CACHE}\n  if (offset % 512) return Errno.EINVAL;`]],
    found: "cache",
    says: /cache of \d+ bytes? at \d+ fails: EINVAL/,
  },
  {
    name: "a cache request changes what is there",
    edits: [[
      CACHE,
      `${CACHE}\n  store<u8>(place(handle, offset), 1);\n  store<u8>(mark(handle, offset), 1);`,
    ]],
    found: "cache",
    says: /after caching, read of .*: the byte at \d+ is 0x01/,
  },
  {
    name: "a cache request never ends",
    edits: [[CACHE, `${CACHE}\n  while (size) size |= 1;`]],
    found: "cache",
    says: /it took longer than \d+ ms in sb_cache/,
  },
  {
    name: "a flush returns what is no error number",
    edits: [[FLUSH, `${FLUSH}\n  return 200;`]],
    found: "flush",
    says: /breaks the ABI in sb_flush: it returned 200, which is no errno/,
  },
  {
    name: "a flush pends and is never finished",
    edits: [[FLUSH, `${FLUSH}\n  return PENDING;`]],
    found: "flush",
    says: /never answered/,
  },
  {
    name: "a counter goes down",
    edits: [["metric(0, ++writes);", "metric(0, --writes);"]],
    found: "metrics",
    says: /the counter "writes" goes from .* down to/,
  },
  {
    name: "each open takes memory that nobody gives back",
    edits: [[OPEN, `alloc(160, 16);\n  ${OPEN}`], ["  allocZeroed,", "  alloc,\n  allocZeroed,"]],
    found: "leaks",
    says: /its memory grows by \d+ bytes/,
  },
  {
    name: "each write takes memory that nobody gives back",
    edits: [[COPY_IN, `alloc(<usize>count, 16);\n  ${COPY_IN}`], [
      "  allocZeroed,",
      "  alloc,\n  allocZeroed,",
    ]],
    found: "leaks",
    says: /its memory grows by \d+ bytes/,
  },
  {
    name: "sb_free does nothing",
    edits: [[
      ALLOCATOR,
      `export { sb_alloc, sb_done } from ${SDK};\nexport function sb_free(pointer: usize, size: usize, alignment: usize): void {}`,
    ]],
    found: "leaks",
    says: /its memory grows by \d+ bytes/,
  },
  {
    name: "sb_alloc returns what is not aligned",
    edits: [
      [
        ALLOCATOR,
        `export { sb_done, sb_free } from ${SDK};\nexport function sb_alloc(size: usize, alignment: usize): usize { return heapAlloc(size + 8, alignment) + 8; }`,
      ],
      ["  allocZeroed,", "  allocZeroed,\n  sb_alloc as heapAlloc,"],
    ],
    found: "start",
    says: /breaks the ABI in sb_alloc: \d+ are not \d+ bytes of its memory aligned to 16/,
  },
  {
    name: "sb_alloc always returns the same memory",
    edits: [
      [
        ALLOCATOR,
        `export { sb_done } from ${SDK};\nlet only: usize = 0;\nexport function sb_free(pointer: usize, size: usize, alignment: usize): void {}\nexport function sb_alloc(size: usize, alignment: usize): usize { if (!only) only = allocZeroed(1 << 22, 4096); return only; }`,
      ],
    ],
    found: "stable",
    says: /changes afterwards, without a write/,
  },
];

export const LIFECYCLE_FAULTS: readonly Fault[] = [
  {
    name: "a parameter that may be empty traps when it is",
    edits: [["length > 0 ? load<u8>(bytes + length - 1) : 1", "load<u8>(bytes + length - 1)"]],
    found: "parameters",
    says: /with label=: .*trapped: memory access out of bounds/,
  },
  {
    name: "a disk of no bytes traps",
    edits: [[
      "blocks = (size + BLOCK - 1) / BLOCK;",
      "blocks = (size + BLOCK - 1) / BLOCK;\n  level /= <i64>size;",
    ]],
    found: "parameters",
    says: /with size=0: .*trapped: divide by zero in sb_ready/,
  },
  {
    name: "a value that is declared is refused with what is no error number",
    edits: [[
      "blocks = (size + BLOCK - 1) / BLOCK;",
      "blocks = (size + BLOCK - 1) / BLOCK;\n  if (level == 9) return -7;",
    ]],
    found: "parameters",
    says: /with level=9: .*breaks the ABI in sb_ready: it returned -7/,
  },
  {
    name: "the end of a disk is cut to whole blocks",
    edits: [[
      COPY_IN,
      "memory.copy(place(handle, offset), data, <usize>min(count, size - size % BLOCK - offset % 4096));",
    ]],
    found: "parameters",
    says: /with size=/,
  },
  {
    name: "stopping traps",
    edits: [[
      "export function sb_stop(): void {",
      "export function sb_stop(): void {\n  unreachable();",
    ]],
    found: "start",
    says: /stopping: it trapped: unreachable in sb_stop/,
  },
  {
    name: "a client without an address makes it trap",
    edits: [[CONNECT, `${CONNECT}\n  if (!length) unreachable();`]],
    found: "connect",
    says: /a client "": .*trapped/,
  },
  {
    name: "a client is refused with what is no error number",
    edits: [[CONNECT, `${CONNECT}\n  if (length > 100) return -1;`]],
    found: "connect",
    says: /breaks the ABI in sb_connect: it returned -1/,
  },
  {
    name: "an export is listed that does not open",
    edits: [[
      "exportAdd(0, 0, 0, 0);\n  exportAdd(changetype<usize>(SCRATCH), SCRATCH.byteLength, 0, 0);",
      "exportAdd(0, 0, 0, 0);\n  exportAdd(changetype<usize>(SCRATCH), SCRATCH.byteLength - 1, 0, 0);",
    ]],
    found: "exports",
    says: /the export "scratc", which it lists, does not open/,
  },
  {
    name: "an export is listed twice",
    edits: [[
      "exportAdd(changetype<usize>(SCRATCH), SCRATCH.byteLength, 0, 0);\n  return 0;\n}\n\nexport function sb_default",
      "exportAdd(0, 0, 0, 0);\n  return 0;\n}\n\nexport function sb_default",
    ]],
    found: "exports",
    says: /twice/,
  },
  {
    name: "the default export is none that there is",
    edits: [["exportDefault(0, 0);", "exportDefault(changetype<usize>(SCRATCH), 3);"]],
    found: "start",
    says: /cannot open the export "scr"/,
  },
  {
    name: "an export that is not there fails with the wrong error",
    edits: [[
      "if (length != <usize>SCRATCH.byteLength) return -Errno.ENOENT;",
      "if (length != <usize>SCRATCH.byteLength) return -Errno.EIO;",
    ]],
    found: "exports",
    says: /opening an export that is not there fails with EIO; it must be ENOENT/,
  },
  {
    name: "opened read-only it has another size",
    edits: [
      ["return handle < 0 ?", "if (flags & OpenFlag.ReadOnly) smaller = 1;\n  return handle < 0 ?"],
      ["let writes: i64 = 0;", "let writes: i64 = 0;\nlet smaller: u64 = 0;"],
      ["  return size;\n}", "  return size - smaller;\n}"],
      ["  openHandle,", "  openHandle,\n  OpenFlag,"],
    ],
    found: "open",
    says: /its size is 1048575; it was 1048576/,
  },
  {
    name: "what it can do changes from one open to the next",
    edits: [[
      "info.fua = Support.Native;",
      "info.fua = handle & 2 ? Support.Emulate : Support.Native;",
    ]],
    found: "open",
    says: /opened once more, its fua is 1; it was 2/,
  },
  {
    name: "what it says that it can do is impossible",
    edits: [[
      "info.fua = Support.Native;",
      "info.fua = Support.Native;\n  info.blockMinimum = 3000;",
    ]],
    found: "start",
    says: /breaks the ABI in sb_info: block_minimum is 3000; it must be a power of two/,
  },
  {
    name: "handles lead to the wrong disk",
    edits: [[OPEN, "const handle = openHandle(++opens > 1 ? 1 : 0);"], [
      "let writes: i64 = 0;",
      "let writes: i64 = 0;\nlet opens: i32 = 0;",
    ]],
    found: "handles",
    says: /after writing through another handle, read of/,
  },
  {
    name: "closing a handle clears the disk",
    edits: [[
      "  closeHandle(handle);",
      "  memory.fill(place(handle, 0), 0, <usize>size);\n  closeHandle(handle);",
    ]],
    found: "handles",
    says: /after closing the handle that it was written through/,
  },
  {
    name: "closing a handle makes others unusable",
    edits: [["  closeHandle(handle);", "  for (let i = handle; i < 64; i++) closeHandle(i);"], [
      "return disks + <usize>(contextOf(handle) * size)",
      "return disks + <usize>(min<u64>(contextOf(handle), 1) * size)",
    ]],
    found: "handles",
    says: /after closing the handle|must be/,
  },
  {
    name: "it says that instances share nothing, but each has a disk of its own",
    manifest: { threads: "parallel" },
    found: "instances",
    says: /after writing through another instance/,
  },
  {
    name: "a metric is set that is not declared",
    manifest: { metrics: [] },
    found: "manifest",
    says: /it imports "metric", but declares no metrics/,
  },
];
