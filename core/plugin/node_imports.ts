// SPDX-License-Identifier: MIT
// The functions that came with ABI 3.1 and 3.2: requests that are finished later, timers, what is below, and
// what a plugin tells about itself while it runs. As in imports.ts, none of them throws.

import type { Device } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { copyFrom } from "../block/memory.ts";
import { Command, Status } from "../block/request.ts";
import { joined } from "./answer_pieces.ts";
import type { Host } from "./host.ts";
import { blockSizeFault } from "./info.ts";
import { nameAt, textBytes } from "./imports.ts";
import { giveBytes, listBytes } from "./next_exports.ts";
import type { Next } from "./next.ts";
import { WAIT_TOKEN } from "./blocking/waiting_host.ts";

const NS_PER_MS = 1_000_000;
/** A timer further away than this is as good as none: 100 years. */
const TIMER_MS_MAX = 100 * 365 * 86_400_000;

/** What an instance offers to these functions. */
export interface NodeServices {
  readonly next: Next;
  /** How many children there are. */
  readonly childCount: number;
  /** Size of a child of what `handle` is, or a negative errno. */
  nextSize(handle: number, child: number): bigint;
  /** Writes what is known about a child to `pointer`. Returns 0 or an errno. */
  nextInfo(handle: number, child: number, pointer: number): number;
  /** What is asked of the exports of a child; null, which is a lie, where there is no such child. */
  childDevice(call: string, child: number): Device | null;
  /** Opens all children. Throws BlockError. */
  openNext(name: string, readOnly: boolean): number;
  closeNext(handle: number): void;
  /** Opens the children of `handle` again, in place of what is open. Throws BlockError. */
  reopenNext(handle: number, readOnly: boolean): void;
  /** Returns 0 or an errno. */
  resize(handle: number, sizeHigh: number, sizeLow: number): number;
  /** A feature of the host, or a capability that was granted. */
  hasFeature(name: string): boolean;
  /** False for an index that the manifest does not have. */
  setMetric(index: number, value: number): boolean;
}

/** These functions, for one instance. */
export function makeNodeImports(host: Host, node: NodeServices): WebAssembly.ModuleImports {
  return {
    ...laterImports(host),
    ...tellImports(host, node),
    ...nextImports(host, node),
    ...listImports(host, node),
  };
}

function laterImports(host: Host): WebAssembly.ModuleImports {
  return {
    complete: (id: number, errno: number) => host.complete(id, errno),
    timer: (high: number, low: number, token: number) => {
      if (host.sbDone === null) {
        host.lied("timer: there is no function sb_done to tell");
        return Errno.EINVAL;
      }
      const ms = Math.min(joined(high, low) / NS_PER_MS, TIMER_MS_MAX);
      return host.agenda.set(host, token, performance.now() + ms) ? 0 : Errno.EAGAIN;
    },
    payload: (
      id: number,
      atHigh: number,
      atLow: number,
      ph: number,
      pl: number,
      lh: number,
      ll: number,
    ) => copyPayload(host, id, joined(atHigh, atLow), joined(ph, pl), joined(lh, ll)),
    cancel: (token: number) => host.agenda.cancel(host, token) ? 1 : 0,
    sleep: (high: number, low: number) => {
      const ms = Math.min(joined(high, low) / NS_PER_MS, TIMER_MS_MAX);
      const isSet = host.agenda.set(host, WAIT_TOKEN, performance.now() + ms);
      return isSet ? Status.Pending : Errno.EAGAIN;
    },
  };
}

function tellImports(host: Host, node: NodeServices): WebAssembly.ModuleImports {
  return {
    metric: (index: number, high: number, low: number) => {
      // Signed: the upper half says so.
      if (node.setMetric(index, high * 4294967296 + (low >>> 0))) return;
      host.lied(`metric: the manifest has no metric ${index}`);
    },
    resize: (handle: number, high: number, low: number) => {
      if (high >= 0) return node.resize(handle, high, low >>> 0);
      host.lied("resize: a size has 63 bits");
      return Errno.EINVAL;
    },
    block_advice: (minimum: number, preferred: number, maximum: number) => {
      takeAdvice(host, minimum >>> 0, preferred >>> 0, maximum >>> 0);
    },
    feature: (ph: number, pl: number, lh: number, ll: number) => {
      const bytes = textBytes(host, "feature", joined(ph, pl), joined(lh, ll));
      return bytes !== null && node.hasFeature(new TextDecoder().decode(bytes)) ? 1 : 0;
    },
  };
}

/** Remembers block sizes that clients are told and not held to. */
function takeAdvice(host: Host, minimum: number, preferred: number, maximum: number): void {
  if (!host.takesAdvice) return host.lied("block_advice: it was not asked for block sizes");
  const sizes = { blockMinimum: minimum, blockPreferred: preferred, blockMaximum: maximum };
  const fault = blockSizeFault(sizes);
  if (fault !== "") return host.lied(`block_advice: ${fault}`);
  host.advice = { minimum, preferred, maximum };
}

/**
 * Copies part of what is written, or of the argument of an ioctl, to the plugin's memory, wherever that lies.
 * Returns 0 or an errno.
 */
function copyPayload(host: Host, id: number, at: number, pointer: number, length: number): number {
  const request = host.find("payload", id)?.request;
  if (!request) return Errno.EINVAL;
  const { memory } = host;
  memory.refresh();
  let fact = "";
  if (request.command !== Command.Write && request.command !== Command.Ioctl) {
    fact = `request ${id} is no write`;
  } else if (at + length > request.length) {
    fact = `${length} bytes at ${at} reach beyond the request`;
  } else if (!memory.contains(pointer, length)) {
    fact = `${length} bytes at ${pointer} are not in its memory`;
  }
  if (fact !== "") {
    host.lied(`payload: ${fact}`);
    return Errno.EINVAL;
  }
  if (length > 0) copyFrom(request.payload + at, memory.bytes.subarray(pointer, pointer + length));
  return 0;
}

/** Runs something about the exports of a child; `failed` is the result where that throws BlockError. */
function asking(host: Host, failed: (errno: number) => number, run: () => number): number {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    host.errorText = error.message;
    return failed(error.errno);
  }
}

function listImports(host: Host, node: NodeServices): WebAssembly.ModuleImports {
  return {
    next_list: (child: number, ph: number, pl: number, ch: number, cl: number) => {
      const device = node.childDevice("next_list", child);
      if (device === null) return 0;
      return asking(host, () => 0, () => {
        const bytes = listBytes(device.list());
        return giveBytes(host, "next_list", bytes, joined(ph, pl), joined(ch, cl));
      });
    },
    next_default: (child: number, ph: number, pl: number, ch: number, cl: number) => {
      const device = node.childDevice("next_default", child);
      if (device === null) return -Errno.EBADF;
      return asking(host, (errno) => -errno, () => {
        const name = device.defaultExport();
        if (name === null) return -Errno.ENOENT;
        const bytes = new TextEncoder().encode(name);
        return giveBytes(host, "next_default", bytes, joined(ph, pl), joined(ch, cl));
      });
    },
  };
}

function nextImports(host: Host, node: NodeServices): WebAssembly.ModuleImports {
  const { next } = node;
  return {
    next_count: () => node.childCount,
    next_size: (handle: number, child: number) => node.nextSize(handle, child),
    next_info: (handle: number, child: number, ph: number, pl: number) => {
      return node.nextInfo(handle, child, joined(ph, pl));
    },
    next_open: (ph: number, pl: number, lh: number, ll: number, flags: number) => {
      const name = nameAt(host, "next_open", joined(ph, pl), joined(lh, ll));
      if (name === null) return -Errno.EINVAL;
      return -caught(host, () => -node.openNext(name, (flags & 1) !== 0));
    },
    next_close: (handle: number) => node.closeNext(handle),
    next_reopen: (handle: number, flags: number) => {
      return caught(host, () => {
        node.reopenNext(handle, (flags & 1) !== 0);
        return 0;
      });
    },
    next_forward: (
      id: number,
      child: number,
      atHigh: number,
      atLow: number,
      countHigh: number,
      countLow: number,
      offsetHigh: number,
      offsetLow: number,
      flags: number,
      token: number,
    ) => {
      const at = joined(atHigh, atLow);
      return next.forward(
        id,
        child,
        at,
        countHigh,
        countLow,
        offsetHigh,
        offsetLow,
        flags,
        token,
      );
    },
    next_pread: transfer(next, "next_pread", Command.Read),
    next_pwrite: transfer(next, "next_pwrite", Command.Write),
    next_extents: transfer(next, "next_extents", Command.BlockStatus),
    next_flush: (handle: number, child: number, flags: number, token: number) => {
      return next.request(
        "next_flush",
        Command.Flush,
        handle,
        child,
        0,
        0,
        0,
        0,
        0,
        flags,
        token,
      );
    },
    next_trim: range(next, "next_trim", Command.Trim),
    next_zero: range(next, "next_zero", Command.WriteZeroes),
    next_cache: range(next, "next_cache", Command.Cache),
    next_secure_erase: range(next, "next_secure_erase", Command.SecureErase),
    next_ioctl: (
      handle: number,
      child: number,
      number: number,
      ph: number,
      pl: number,
      lh: number,
      ll: number,
      token: number,
    ) =>
      next.request(
        "next_ioctl",
        Command.Ioctl,
        handle,
        child,
        joined(ph, pl),
        lh,
        ll,
        0,
        number,
        0,
        token,
      ),
  };
}

/** What `open` returns, or the errno with which it throws. */
function caught(host: Host, open: () => number): number {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    host.errorText = error.message;
    return error.errno;
  }
}

function transfer(next: Next, call: string, command: number) {
  return (
    handle: number,
    child: number,
    ph: number,
    pl: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
    token: number,
  ) =>
    next.request(
      call,
      command,
      handle,
      child,
      joined(ph, pl),
      countHigh,
      countLow,
      offsetHigh,
      offsetLow,
      flags,
      token,
    );
}

function range(next: Next, call: string, command: number) {
  return (
    handle: number,
    child: number,
    countHigh: number,
    countLow: number,
    offsetHigh: number,
    offsetLow: number,
    flags: number,
    token: number,
  ) =>
    next.request(
      call,
      command,
      handle,
      child,
      0,
      countHigh,
      countLow,
      offsetHigh,
      offsetLow,
      flags,
      token,
    );
}
