// SPDX-License-Identifier: MIT
// What this kernel offers for attaching devices, and what to do about what it does not. Looks only:
// no module is loaded.

import { SystemError } from "../../native/errno.ts";
import { IoUring } from "../../native/io_uring.ts";
import { GenericNetlink } from "../../native/netlink.ts";
import { adviceFor, hasModule, isLoadable, readRelease } from "./modules.ts";
import { makeStateDirectory, stateDirectory } from "./state.ts";
import { readSysfs } from "./sysfs.ts";
import { UblkFlag } from "./ublk_abi.ts";
import { UblkControlDevice } from "./ublk_control.ts";

/** One thing that was looked at. */
export interface Finding {
  /** What: `nbd`, `ublk`. */
  subject: string;
  ok: boolean;
  fact: string;
  /** What to do; empty where there is nothing to do. */
  advice: string;
}

/** Features of ublk that are worth telling, by bit. */
const FEATURES: Readonly<Record<number, string>> = {
  [UblkFlag.UserRecovery]: "recovery",
  [UblkFlag.UserCopy]: "user copy",
  [UblkFlag.Zoned]: "zones",
  [UblkFlag.UpdateSize]: "resize",
};

/** Bit of CAP_SYS_ADMIN in /proc/self/status. */
const CAP_SYS_ADMIN = 21n;

/** Looks at everything, in the order in which people should read it. */
export async function examine(): Promise<Finding[]> {
  const ring = examineRing();
  const nbd = examineNbd();
  const ublk = await examineUblk(ring.ok);
  const findings = [examineRights(), nbd, ublk, ring, examineNodes(), examineState()];
  const best = ublk.ok ? "ublk" : nbd.ok ? "nbd" : null;
  findings.unshift({
    subject: "attach",
    ok: best !== null,
    fact: best === null
      ? `Linux ${readRelease()} has no way to attach a device`
      : `Linux ${readRelease()}: devices are attached through ${best}`,
    advice: best === null ? 'devices can still be used over NBD: "sandblock serve"' : "",
  });
  return findings;
}

function examineRights(): Finding {
  const status = Deno.readTextFileSync("/proc/self/status");
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const ok = (bits >> CAP_SYS_ADMIN & 1n) === 1n;
  return {
    subject: "rights",
    ok,
    fact: ok ? "this user may attach devices" : "this user may not attach devices (CAP_SYS_ADMIN)",
    advice: ok ? "" : "become root",
  };
}

function examineNbd(): Finding {
  const subject = "nbd";
  if (!hasModule("nbd")) return moduleFinding(subject, "nbd");
  try {
    new GenericNetlink("nbd", 1)[Symbol.dispose]();
  } catch (error) {
    return {
      subject,
      ok: false,
      fact: `the driver is loaded, but does not answer: ${(error as Error).message}`,
      advice: "in a container, netlink may be cut off; attach outside of it",
    };
  }
  const devices = readSysfs("module/nbd/parameters/nbds_max") ?? "?";
  const fact =
    `the driver is loaded, with ${devices} devices; more are made when they are asked for`;
  return { subject, ok: true, fact, advice: "" };
}

async function examineUblk(hasRing: boolean): Promise<Finding> {
  const subject = "ublk";
  if (!hasModule("ublk_drv")) return moduleFinding(subject, "ublk_drv");
  if (!hasRing) {
    return {
      subject,
      ok: false,
      fact: "the driver is loaded, but there is no io_uring",
      advice: "",
    };
  }
  try {
    using control = await UblkControlDevice.open();
    const features = await control.features();
    const names = Object.entries(FEATURES)
      .filter(([bit]) => (features & Number(bit)) !== 0).map(([, name]) => name);
    const ok = (features & UblkFlag.IoctlEncode) !== 0;
    return {
      subject,
      ok,
      fact: `the driver is loaded, with features 0x${features.toString(16)}: ${names.join(", ")}`,
      advice: ok ? "" : "it is too old; Linux 6.4 or later is needed",
    };
  } catch (error) {
    const fact = `the driver is loaded, but cannot be used: ${(error as Error).message}`;
    return { subject, ok: false, fact, advice: "only root may use it" };
  }
}

function moduleFinding(subject: string, module: string): Finding {
  if (isLoadable(module)) {
    const fact = `the module "${module}" is there and is loaded when it is needed`;
    return { subject, ok: true, fact, advice: "" };
  }
  const fact = `the kernel has no module "${module}"`;
  return { subject, ok: false, fact, advice: adviceFor(module) };
}

function examineRing(): Finding {
  const subject = "io_uring";
  try {
    new IoUring(2, true).close();
    return { subject, ok: true, fact: "it can be used", advice: "" };
  } catch (error) {
    const disabled = readProc("/proc/sys/kernel/io_uring_disabled");
    const advice = disabled === null || disabled === "0"
      ? "a seccomp profile may forbid it"
      : `set kernel.io_uring_disabled to 0; it is ${disabled}`;
    const reason = error instanceof SystemError ? error.code : (error as Error).message;
    return { subject, ok: false, fact: `it cannot be used: ${reason}`, advice };
  }
}

function examineNodes(): Finding {
  const ok = /^\S+ \/dev devtmpfs /m.test(readProc("/proc/self/mounts") ?? "");
  return {
    subject: "/dev",
    ok: true,
    fact: ok ? "the kernel makes device nodes there" : "nodes of new devices are made by sandblock",
    advice: ok ? "" : "they stay when a device is gone",
  };
}

function examineState(): Finding {
  const path = stateDirectory();
  try {
    if (Deno.lstatSync(path)) makeStateDirectory();
    return { subject: "state", ok: true, fact: `records are kept in ${path}`, advice: "" };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return { subject: "state", ok: true, fact: `records will be kept in ${path}`, advice: "" };
    }
    const advice = `mkdir -m 700 ${path}, or set SANDBLOCK_STATE to another directory`;
    return { subject: "state", ok: false, fact: (error as Error).message, advice };
  }
}

function readProc(path: string): string | null {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return null;
  }
}
