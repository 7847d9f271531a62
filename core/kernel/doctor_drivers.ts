// SPDX-License-Identifier: MIT
// The ways into the kernel as `sandblock doctor` sees them: the drivers nbd, bdus and ublk, and io_uring,
// on which ublk stands.

import { Errno } from "../block/errno.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { SystemError } from "../../native/errno.ts";
import { Open, openFile } from "../../native/file.ts";
import { IoUring } from "../../native/io_uring.ts";
import { type Finding, gap, good, readProc } from "./finding.ts";
import { moduleStatus } from "./module_install.ts";
import { adviceFor, hasModule, isLoadable, readRelease } from "./modules.ts";
import { hasNetlink } from "./nbd_device.ts";
import { deviceNode, readSysfs } from "./sysfs.ts";
import { UblkFlag } from "./ublk_abi.ts";
import { UblkControlDevice } from "./ublk_control.ts";

/** Features of ublk that make a difference here, with the version of Linux that had them first. */
const FEATURES: readonly (readonly [flag: number, name: string, since: string])[] = [
  [UblkFlag.UserRecovery, "recovery", "6.1"],
  [UblkFlag.UserCopy, "user copy", "6.5"],
  [UblkFlag.Zoned, "zones", "6.6 with CONFIG_BLK_DEV_ZONED"],
  [UblkFlag.UpdateSize, "resize", "6.16"],
];

/** The driver nbd, and whether it can be told what to do. */
export function examineNbd(): Finding {
  if (!hasModule("nbd")) return missing("nbd", "nbd");
  if (!hasNetlink()) {
    return good(
      "nbd",
      "the driver is loaded; its netlink family is not seen from here, so a device ends with its process",
      "outside of the container, or with the network of the machine, --recover and --replace work as well",
    );
  }
  const devices = readSysfs("module/nbd/parameters/nbds_max") ?? "?";
  return good(
    "nbd",
    `the driver is loaded, with ${devices} devices; more are made when they are asked for`,
  );
}

/** The module bdus, which is built out of what the executable carries. */
export function examineBdus(): Finding {
  const { loaded, installed, version, carried, headers, release } = moduleStatus();
  if (!loaded && !installed) {
    const first = headers
      ? ""
      : `install the headers of this kernel (Debian: apt install linux-headers-${release}), then `;
    return gap("bdus", 'the kernel has no module "bdus"', `${first}${adviceFor("bdus")}`);
  }
  if (!loaded) return missing("bdus", "bdus");
  try {
    closeDescriptor(openFile(deviceNode("class/misc/bdus-control"), Open.ReadWrite));
  } catch (error) {
    return gap(
      "bdus",
      `the driver is loaded, but cannot be used: ${reason(error)}`,
      rightsOr(error),
    );
  }
  const most = readSysfs("module/bdus/parameters/max_devices") ?? "?";
  const update = version === carried
    ? ""
    : `this sandblock carries version ${carried}: "sandblock kmod install", then "rmmod bdus"`;
  return good(
    "bdus",
    `the driver is loaded, version ${version ?? "unknown"}, for up to ${most} devices`,
    update,
  );
}

/** The driver ublk with what it can do. */
export async function examineUblk(hasRing: boolean): Promise<Finding> {
  if (!hasModule("ublk_drv")) return missing("ublk", "ublk_drv");
  if (!hasRing) {
    return gap("ublk", "the driver is loaded, but there is no io_uring", "see io_uring below");
  }
  try {
    using control = await UblkControlDevice.open();
    const features = await control.features();
    // The driver says that it knows zones whether or not the rest of the kernel does.
    return ublkFinding(lacksZones() ? features & ~UblkFlag.Zoned : features);
  } catch (error) {
    return gap(
      "ublk",
      `the driver is loaded, but cannot be used: ${reason(error)}`,
      rightsOr(error),
    );
  }
}

/** Whether this kernel is known to have been built without zoned block devices. */
function lacksZones(): boolean {
  const config = readProc(`/boot/config-${readRelease()}`);
  return config !== null && !/^CONFIG_BLK_DEV_ZONED=y$/m.test(config);
}

/** What `features` of the driver mean. */
export function ublkFinding(features: number): Finding {
  if ((features & UblkFlag.IoctlEncode) === 0) {
    return gap(
      "ublk",
      "the driver is loaded, but too old",
      "Linux 6.4 or later has what is needed",
    );
  }
  const names = FEATURES.filter(([flag]) => (features & flag) !== 0).map(([, name]) => name);
  const lacking = FEATURES.filter(([flag]) => (features & flag) === 0);
  const has = names.length === 0 ? "nothing beyond the basics" : names.join(", ");
  const lacks = lacking.map(([, name, since]) => `${name} (Linux ${since})`).join(", ");
  const fact = `the driver is loaded, with ${has}`;
  return good("ublk", fact, lacks === "" ? "" : `not there: ${lacks}`);
}

/** Whether programs may use io_uring. */
export function examineRing(): Finding {
  try {
    new IoUring(2, true).close();
    return good("io_uring", "it can be used");
  } catch (error) {
    const disabled = readProc("/proc/sys/kernel/io_uring_disabled");
    const advice = disabled === null || disabled === "0"
      ? "a seccomp profile may forbid it, as those of container engines do"
      : `"sysctl kernel.io_uring_disabled=0" allows it; it is ${disabled}`;
    return gap("io_uring", `it cannot be used: ${reason(error)}`, advice);
  }
}

function missing(subject: string, module: string): Finding {
  if (isLoadable(module)) {
    return good(subject, `the module "${module}" is there and is loaded when it is needed`);
  }
  return gap(subject, `the kernel has no module "${module}"`, adviceFor(module));
}

function reason(error: unknown): string {
  return error instanceof SystemError ? error.code : (error as Error).message;
}

function rightsOr(error: unknown): string {
  const denied = error instanceof SystemError &&
    (error.errno === Errno.EPERM || error.errno === Errno.EACCES);
  return denied ? "only root may use it" : "the kernel's log may say why (dmesg)";
}
