// SPDX-License-Identifier: MIT
// Faults in a plugin with zones: the bundled one.

import type { Fault } from "./faults.ts";

const REPORT =
  "reportZone(request, at, zoneSize, capacity, pointer, ZoneType.Sequential, condition);";

export const ZONE_FAULTS: readonly Fault[] = [
  {
    name: "a zone is written anywhere",
    edits: [[
      "if (offset != pointer && conditionOf(zone) != ZoneCondition.Full) {",
      "if (false) {",
    ]],
    found: "zones",
    says: /succeeds, which leaves a gap in a sequential zone/,
  },
  {
    name: "an append says that it went to the start of the zone",
    edits: [["zoneAppended(request, pointer);", "zoneAppended(request, offset);"]],
    found: "zones",
    says: /an append says that it has written at \d+/,
  },
  {
    name: "an append does not say where it went",
    edits: [["if (!errno) zoneAppended(request, pointer);", ""]],
    found: "zones",
    says: /breaks the ABI in sb_zone_append: it did not say where it appended/,
  },
  {
    name: "a reset keeps the content",
    edits: [[
      "if (from < end) discard(from << zoneBits, (end - from) << zoneBits);",
      "",
    ]],
    found: "zones",
    says: /after a reset, byte \d+ of zone \d+ is wrong/,
  },
  {
    name: "a reset leaves the write pointer where it was",
    edits: [["  setWritten(zone, 0);\n", ""]],
    found: "zones",
    says: /breaks the ABI in sb_zone_report: zone: an empty zone has its write pointer at/,
  },
  {
    name: "a write does not open its zone",
    edits: [["implicit++;\n  setCondition(zone, ZoneCondition.ImplicitlyOpen);", ""]],
    found: "zones",
    says: /breaks the ABI in sb_zone_report: zone: an empty zone has its write pointer at/,
  },
  {
    name: "a zone that was finished is not full",
    edits: [["  setCondition(zone, ZoneCondition.Full);\n  return 0;", "  return 0;"]],
    found: "zones",
    says: /after filling it, zone \d+ has the condition \d/,
  },
  {
    name: "a full zone is appended to",
    edits: [[
      'if (condition == ZoneCondition.Full) {\n    return failWith(Errno.EIO, "cannot write to',
      'if (false) {\n    return failWith(Errno.EIO, "cannot write to',
    ]],
    found: "zones",
    says: /succeeds, though the zone is full/,
  },
  {
    name: "a report has zones of another length",
    edits: [[REPORT, REPORT.replace("at, zoneSize", "at, zoneSize >> 1")]],
    found: "zones",
    says: /breaks the ABI in sb_zone_report: zone: a length of \d+; all have \d+/,
  },
];
