// SPDX-License-Identifier: MIT
// What is assumed of a filter, before it is asked: it follows from what is below it and from what the
// filter does with calls (ABI, "Opening").

import { BlockError, Errno } from "../block/errno.ts";
import { type BlockSize, type Capabilities, type ExportInfo, Support } from "../block/export.ts";
import { BLOCK_MAXIMUM_NONE, type Info, INFO_BYTES } from "./info.ts";
import { type DataCall, isLater, type NodeManifest } from "./manifest_node.ts";

/** What is assumed of a filter above `children`, which does what `node` says with calls. */
export function filterInfo(
  exports: ReadonlySet<string>,
  node: NodeManifest,
  children: readonly ExportInfo[],
): Info {
  const least = (name: keyof Capabilities) =>
    Math.min(...children.map(({ can }) => can[name])) as Support;
  const passes = children.length === 1;
  // What it writes by other means, nothing below knows of.
  const itself = exports.has("sb_pwrite") && node.calls.pwrite === "transform";
  /** A call that is passed on can do what is below; one that is answered otherwise stands for itself. */
  const support = (name: keyof Capabilities, call: DataCall): Support => {
    if (!exports.has(`sb_${call}`)) {
      if (itself && call === "zero") return Support.Emulate;
      if (itself && (call === "trim" || call === "extents" || call === "secure_erase")) {
        return Support.None;
      }
      // What it may not know of does not pass it, unless it says so.
      if (isLater(call) && node.calls[call] !== "pass") return Support.None;
      return passes ? least(name) : Support.None;
    }
    if (node.calls[call] === "transform") return Support.Native;
    return least(name) === Support.None ? Support.None : Support.Native;
  };
  // What is written must go somewhere: below, unless that is opened read-only on purpose.
  const write = itself && !node.nextReadOnly && least("write") === Support.None
    ? Support.None
    : support("write", "pwrite");
  const flush = support("flush", "flush");
  return {
    structSize: INFO_BYTES,
    ...commonBlockSize(children.map(({ blockSize }) => blockSize)),
    write,
    flush,
    fua: filterFua(write, itself, least("fua"), flush, exports),
    trim: support("trim", "trim"),
    zero: support("zero", "zero"),
    fastZero: fastZero(support("zero", "zero"), least("fastZero")),
    cache: support("cache", "cache"),
    extents: support("extents", "extents"),
    multiConn: least("multiConn"),
    rotational: children.some(({ rotational }) => rotational) ? 1 : 0,
    secureErase: support("secureErase", "secure_erase"),
    ioctl: support("ioctl", "ioctl"),
  };
}

function fastZero(zero: Support, below: Support): Support {
  if (zero === Support.None) return Support.None;
  // Emulated zeroes are always slow, and saying so is what a fast zero request asks for.
  return zero === Support.Emulate ? Support.Emulate : below;
}

/** A filter that writes by other means has no durable writes but those followed by a flush. */
function filterFua(
  write: Support,
  own: boolean,
  below: Support,
  flush: Support,
  exports: ReadonlySet<string>,
): Support {
  if (write === Support.None) return Support.None;
  if (own) {
    return flush !== Support.None && exports.has("sb_flush") ? Support.Emulate : Support.None;
  }
  // Flags are passed on by the functions that it has; what is below makes up for FUA.
  const passesFlags = ["sb_pwrite", "sb_trim", "sb_zero"].some((name) => exports.has(name));
  return below === Support.None || !passesFlags ? below : Support.Native;
}

/** Block sizes that suit all of `sizes`. Throws BlockError where there are none. */
function commonBlockSize(
  sizes: readonly BlockSize[],
): Pick<Info, "blockMinimum" | "blockPreferred" | "blockMaximum"> {
  const blockMinimum = Math.max(...sizes.map(({ minimum }) => minimum));
  const largest = Math.min(...sizes.map(({ maximum }) => maximum));
  const blockMaximum = largest === BLOCK_MAXIMUM_NONE ? largest : largest - largest % blockMinimum;
  if (blockMaximum === 0) {
    throw new BlockError(
      Errno.EINVAL,
      `cannot use devices together of which one takes blocks of at least ${blockMinimum} bytes ` +
        `and another of at most ${largest}`,
    );
  }
  let blockPreferred = Math.max(...sizes.map(({ preferred }) => preferred));
  // Powers of two, of which the maximum may be none.
  while (blockPreferred > blockMaximum) blockPreferred /= 2;
  return { blockMinimum, blockPreferred, blockMaximum };
}
