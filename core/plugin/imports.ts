// SPDX-License-Identifier: MIT
// The functions that a plugin may import, as they are called by a rewritten module: 64-bit integers
// and pointers come as halves (ABI, "Functions of the host"). Whatever a plugin passes, none of them
// throws, unless it has left no stack for them to run on.

import type { Host } from "./host.ts";
import { joined } from "./answer_pieces.ts";
import { LOG_LEVELS } from "./instance.ts";
import type { Listing } from "./listing.ts";
import { giveBytes } from "./next_exports.ts";
import { cutAt, exportName, printable, TEXT_BYTES_MAX } from "./text.ts";

const encoder = new TextEncoder();

/** The import object's module `sandblock:v3` for one instance. */
export function makeImports(host: Host, listing: Listing): WebAssembly.ModuleImports {
  return { ...answerImports(host), ...zoneImports(host), ...controlImports(host, listing) };
}

function answerImports(host: Host): WebAssembly.ModuleImports {
  return {
    reply_data: (
      id: number,
      atHigh: number,
      atLow: number,
      pointerHigh: number,
      pointerLow: number,
      lengthHigh: number,
      lengthLow: number,
      flags: number,
    ) => {
      const length = joined(lengthHigh, lengthLow);
      const pointer = joined(pointerHigh, pointerLow);
      host.find("reply_data", id)?.data(joined(atHigh, atLow), pointer, length, flags);
    },
    reply_buffer: (
      id: number,
      atHigh: number,
      atLow: number,
      lengthHigh: number,
      lengthLow: number,
    ) => {
      const length = joined(lengthHigh, lengthLow);
      return host.find("reply_buffer", id)?.buffer(joined(atHigh, atLow), length) ?? 0;
    },
    reply_zero: (
      id: number,
      atHigh: number,
      atLow: number,
      lengthHigh: number,
      lengthLow: number,
      flags: number,
    ) => {
      const length = joined(lengthHigh, lengthLow);
      host.find("reply_zero", id)?.zero(joined(atHigh, atLow), length, flags);
    },
    reply_error: (
      id: number,
      atHigh: number,
      atLow: number,
      lengthHigh: number,
      lengthLow: number,
      errno: number,
    ) => {
      const length = joined(lengthHigh, lengthLow);
      host.find("reply_error", id)?.error(joined(atHigh, atLow), length, errno);
    },
    reply_restart: (id: number) => host.find("reply_restart", id)?.restart(),
    extent: (id: number, lengthHigh: number, lengthLow: number, flags: number) => {
      host.find("extent", id)?.extent(lengthHigh >>> 0, lengthLow >>> 0, flags);
    },
  };
}

function zoneImports(host: Host): WebAssembly.ModuleImports {
  return {
    zone: (
      id: number,
      startHigh: number,
      startLow: number,
      lengthHigh: number,
      lengthLow: number,
      capacityHigh: number,
      capacityLow: number,
      pointerHigh: number,
      pointerLow: number,
      type: number,
      condition: number,
    ) => {
      host.find("zone", id)?.zone(
        joined(startHigh, startLow),
        joined(lengthHigh, lengthLow),
        joined(capacityHigh, capacityLow),
        joined(pointerHigh, pointerLow),
        type,
        condition,
      );
    },
    zone_appended: (id: number, high: number, low: number) => {
      host.find("zone_appended", id)?.appended(joined(high, low));
    },
  };
}

function controlImports(host: Host, listing: Listing): WebAssembly.ModuleImports {
  return {
    error_text: (ph: number, pl: number, lh: number, ll: number) => {
      const bytes = textBytes(host, "error_text", joined(ph, pl), joined(lh, ll));
      if (bytes !== null) host.errorText = printable(bytes);
    },
    export_add: (
      nh: number,
      nl: number,
      nameLengthHigh: number,
      nameLengthLow: number,
      dh: number,
      dl: number,
      descriptionLengthHigh: number,
      descriptionLengthLow: number,
    ) => {
      const nameLength = joined(nameLengthHigh, nameLengthLow);
      const name = nameAt(host, "export_add", joined(nh, nl), nameLength);
      const descriptionLength = joined(descriptionLengthHigh, descriptionLengthLow);
      const description = textBytes(host, "export_add", joined(dh, dl), descriptionLength);
      if (name === null || description === null) return;
      host.lied(listing.add(name, printable(description)));
    },
    export_default: (ph: number, pl: number, lh: number, ll: number) => {
      const name = nameAt(host, "export_default", joined(ph, pl), joined(lh, ll));
      if (name !== null) host.lied(listing.setDefault(name));
    },
    peer: (ph: number, pl: number, ch: number, cl: number) => {
      return givePeer(host, joined(ph, pl), joined(ch, cl));
    },
    log: (level: number, ph: number, pl: number, lh: number, ll: number) => {
      const bytes = textBytes(host, "log", joined(ph, pl), joined(lh, ll));
      const name = LOG_LEVELS[level];
      if (name === undefined) host.lied(`log: ${level} is no level; they are 0 to 3`);
      else if (bytes !== null) host.logLine(name, printable(bytes));
    },
    release: (ph: number, pl: number, lh: number, ll: number) => {
      const { memory } = host;
      const pointer = joined(ph, pl);
      const length = joined(lh, ll);
      memory.refresh();
      if (memory.contains(pointer, length)) memory.release(pointer, length);
      else host.lied(`release: ${length} bytes at ${pointer} are not in its memory`);
    },
  };
}

/** A text in the plugin's memory, cut to TEXT_BYTES_MAX; null where there is none. */
export function textBytes(
  host: Host,
  call: string,
  pointer: number,
  length: number,
): Uint8Array | null {
  const { memory } = host;
  memory.refresh();
  if (!memory.contains(pointer, length)) {
    host.lied(`${call}: ${length} bytes at ${pointer} are not in its memory`);
    return null;
  }
  const bytes = memory.bytes.subarray(pointer, pointer + length);
  return bytes.subarray(0, cutAt(bytes, TEXT_BYTES_MAX));
}

/** The name of an export in the plugin's memory; null where there is none. */
export function nameAt(host: Host, call: string, pointer: number, length: number): string | null {
  const bytes = textBytes(host, call, pointer, length);
  if (bytes === null) return null;
  if (length > TEXT_BYTES_MAX) {
    host.lied(`${call}: a name of ${length} bytes; it may have ${TEXT_BYTES_MAX}`);
    return null;
  }
  const name = exportName(bytes);
  if (name === null) host.lied(`${call}: a name that is not UTF-8, or contains NUL`);
  return name;
}

function givePeer(host: Host, pointer: number, capacity: number): number {
  return giveBytes(host, "peer", encoder.encode(host.peer), pointer, capacity);
}
