// SPDX-License-Identifier: MIT
// What this kernel offers for attaching devices, and what to do about what it does not. Looks only:
// no module is loaded.

import { examineBdus, examineNbd, examineRing, examineUblk } from "./doctor_drivers.ts";
import { examineMemory, examineOpenFiles } from "./doctor_limits.ts";
import { type Finding, gap, good, readProc } from "./finding.ts";
import { hasModule, readRelease } from "./modules.ts";
import type { Via } from "./names.ts";
import { hasSysAdmin } from "./rights.ts";
import { makeStateDirectory, stateDirectory } from "./state.ts";

/** Looks at everything, in the order in which people should read it. */
export async function examine(): Promise<Finding[]> {
  const rights = examineRights();
  const ring = examineRing();
  const ublk = await examineUblk(ring.ok);
  const ways = [ublk, examineBdus(), examineNbd()];
  return [
    // A driver that is loaded was opened to look at it.
    verdict(rights, ways, ublk.ok && hasModule("ublk_drv")),
    rights,
    ...ways,
    ring,
    examineNodes(),
    examineState(),
    examineOpenFiles(),
    examineMemory(),
  ];
}

/**
 * What comes of it all. `ways`: from best to worst, as attach tries them. `opensUblk`: the user may use that
 * driver, with or without rights.
 */
export function verdict(
  rights: Finding,
  ways: readonly Finding[],
  opensUblk = false,
): Finding {
  const subject = "attach";
  const linux = `Linux ${readRelease()}`;
  const best = ways.find(({ ok }) => ok)?.subject as Via | undefined;
  if (best === undefined) {
    const instead = 'see below; devices can be used over NBD in any case: "sandblock serve"';
    return gap(subject, `${linux} has no way to attach a device now`, instead);
  }
  if (rights.ok) return good(subject, `${linux}: devices are attached through ${best}`);
  if (opensUblk) {
    return good(
      subject,
      `${linux}: this user may attach devices through ublk, which end with their process`,
    );
  }
  return gap(subject, `${linux} has ${best}, but this user may not use it`, rights.advice);
}

function examineRights(): Finding {
  if (hasSysAdmin()) return good("rights", "this user may attach devices");
  return gap(
    "rights",
    "this user may not attach devices (CAP_SYS_ADMIN)",
    "become root; in a container, add the capability; or let users have ublk (docs/kernel.md, Without root)",
  );
}

function examineNodes(): Finding {
  if (/^\S+ \/dev devtmpfs /m.test(readProc("/proc/self/mounts") ?? "")) {
    return good("/dev", "the kernel makes device nodes there");
  }
  return good("/dev", "nodes of new devices are made by sandblock, and stay when a device is gone");
}

function examineState(): Finding {
  const path = stateDirectory();
  try {
    if (Deno.lstatSync(path)) makeStateDirectory();
    return good("state", `records are kept in ${path}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      return good("state", `records will be kept in ${path}`);
    }
    const advice = `mkdir -m 700 ${path}, or set SANDBLOCK_STATE to another directory`;
    return gap("state", (error as Error).message, advice);
  }
}
