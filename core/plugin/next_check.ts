// SPDX-License-Identifier: MIT
// Checks a request that a filter makes of what is below it, as core/nbd checks a client's: what is
// below may rely on it.

import { Errno } from "../block/errno.ts";
import { type ExportInfo, Support } from "../block/export.ts";
import { ioctlBytes } from "../block/ioctl.ts";
import { Command, type Request, RequestFlag } from "../block/request.ts";
import { within } from "../block/uint64.ts";

/**
 * The errno of a kind of request that only some devices have, for one that has it not; 0 for others. A filter
 * may ask without having looked (ABI, section 19).
 */
export function absence({ can }: ExportInfo, command: number): number {
  if (command === Command.Ioctl && can.ioctl === Support.None) return Errno.ENOTTY;
  if (command === Command.SecureErase && can.secureErase === Support.None) return Errno.EOPNOTSUPP;
  return 0;
}

/** What is wrong with `request` to an export with `info`; "" if nothing is. */
export function refusal(info: ExportInfo, request: Request): string {
  const { command } = request;
  const { can } = info;
  if (command === Command.Flush) return can.flush === Support.None ? "there is no flush" : "";
  if (command === Command.Ioctl) return ioctlRefusal(request);
  const { offsetHigh, offsetLow, lengthHigh, lengthLow } = request;
  if (lengthHigh === 0 && lengthLow === 0) return "the length is 0";
  if (!within(offsetHigh, offsetLow, lengthHigh, lengthLow, info.sizeHigh, info.sizeLow)) {
    return `${request.length} bytes at ${request.offset} reach beyond the end of the child`;
  }
  const missing = missingCapability(info, request);
  if (missing !== "") return missing;
  const { minimum, maximum } = info.blockSize;
  const mask = minimum - 1;
  if ((offsetLow & mask) !== 0 || ((lengthLow & mask) !== 0 && !reachesEnd(info, request))) {
    return `${request.length} bytes at ${request.offset} are not whole blocks of ${minimum}`;
  }
  if (command !== Command.Read && command !== Command.Write) return "";
  if (lengthHigh === 0 && lengthLow <= maximum) return "";
  return `${request.length} bytes are more than the ${maximum} that the child takes`;
}

function ioctlRefusal(request: Request): string {
  const bytes = ioctlBytes(request.ioctl);
  if (request.length === bytes) return "";
  return `the argument has ${request.length} bytes; the number of the ioctl says ${bytes}`;
}

function missingCapability({ can }: ExportInfo, { command, flags }: Request): string {
  if ((flags & RequestFlag.Fua) !== 0 && can.fua === Support.None) return "there is no FUA";
  switch (command) {
    case Command.Write:
      return can.write === Support.None ? "the child is read-only" : "";
    case Command.Trim:
      return can.trim === Support.None ? "there is no trim" : "";
    case Command.WriteZeroes:
      return can.zero === Support.None ? "there is no zero" : "";
    case Command.Cache:
      return can.cache === Support.None ? "there is no cache" : "";
    default:
      return "";
  }
}

/** Whether the request ends where the export does. */
function reachesEnd({ sizeHigh, sizeLow }: ExportInfo, request: Request): boolean {
  const low = request.offsetLow + request.lengthLow;
  const carry = low >= HIGH ? 1 : 0;
  return low - carry * HIGH === sizeLow &&
    request.offsetHigh + request.lengthHigh + carry === sizeHigh;
}

const HIGH = 4294967296;
