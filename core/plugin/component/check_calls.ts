// SPDX-License-Identifier: MIT
// Checks what a component says that it implements: the same as of the functions that a module exports, which
// is known before it runs (../check.ts).

import { BlockError, Errno } from "../../block/errno.ts";
import type { Manifest } from "../manifest.ts";
import { abiMinor } from "../manifest_check.ts";
import { type DataCall, LATER_CALLS, PLAIN_NODE } from "../manifest_node.ts";
import type { Calls } from "./device.ts";

/** Functions for requests that a filter must have to open again what is below it. */
const FOR_REOPEN = ["pread", "pwrite", "flush", "trim", "zero", "cache", "extents"] as const;

/** Functions about zones; the first ones go together. */
const FOR_ZONES = ["zones", "zoneReport", "zoneAppend", "zoneReset"] as const;
const ZONES = [...FOR_ZONES, "zoneOpen", "zoneClose", "zoneFinish"] as const;

/** What came with 3.2. */
const SINCE_3_2: readonly (keyof Calls)[] = ["secureErase", "ioctl", ...ZONES];

/** Throws BlockError where a component of `manifest` may not have what is `implemented`, or has too little. */
export function checkCalls(manifest: Manifest, implemented: Calls): void {
  const fact = missing(manifest, implemented) || excess(manifest, implemented);
  if (fact === "") return;
  throw new BlockError(
    Errno.EINVAL,
    `cannot start plugin "${manifest.name}": its function "implemented" ${fact}`,
  );
}

/** Why a filter may not open again what is below it; "" where it may. */
export function reopenFault({ node = PLAIN_NODE }: Manifest, implemented: Calls): string {
  const passing = LATER_CALLS.find((call) => node.calls[call] === "pass");
  if (passing !== undefined) return `its manifest says that "${passing}" is to "pass"`;
  const all = FOR_REOPEN.every((name) => implemented[name]);
  return all ? "" : "it does not implement all seven functions for requests";
}

function missing({ node = PLAIN_NODE }: Manifest, implemented: Calls): string {
  const { children } = node;
  const needed: (keyof Calls)[] = children === null || children.maximum > 1
    ? ["pread", "size"]
    : [];
  const zone = ZONES.find((name) => implemented[name]);
  if (zone !== undefined) needed.push("pwrite", ...FOR_ZONES);
  const name = needed.find((name) => !implemented[name]);
  if (name === undefined) return "";
  const because = name === "pread" || name === "size" || zone === undefined
    ? ""
    : `, but has "${witName(zone)}"`;
  return `leaves out "${witName(name)}"${because}`;
}

function excess({ abi, kind, node = PLAIN_NODE }: Manifest, implemented: Calls): string {
  const later = abiMinor(abi) < 2 ? SINCE_3_2.find((name) => implemented[name]) : undefined;
  if (later !== undefined) {
    return `has "${witName(later)}" of ABI 3.2, but its manifest says ${abi}`;
  }
  const zone = ZONES.find((name) => implemented[name]);
  if (zone !== undefined && kind === "filter") {
    return `has "${witName(zone)}", which a filter may not`;
  }
  const names: readonly [DataCall, keyof Calls][] = [
    ["secure_erase", "secureErase"],
    ["ioctl", "ioctl"],
  ];
  const both = names.find(([call, name]) => node.calls[call] === "pass" && implemented[name]);
  if (both === undefined) return "";
  const [call, name] = both;
  return `has "${witName(name)}", but its manifest says that "${call}" is to "pass"`;
}

/** `zoneReport` as the WIT package writes it. */
function witName(name: keyof Calls): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
