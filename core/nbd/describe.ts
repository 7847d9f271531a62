// SPDX-License-Identifier: MIT
// Names of the protocol's numbers, for messages.

import { Command } from "../block/request.ts";

const commands = new Map<number, string>([
  [Command.Read, "READ"],
  [Command.Write, "WRITE"],
  [Command.Disconnect, "DISC"],
  [Command.Flush, "FLUSH"],
  [Command.Trim, "TRIM"],
  [Command.Cache, "CACHE"],
  [Command.WriteZeroes, "WRITE_ZEROES"],
  [Command.BlockStatus, "BLOCK_STATUS"],
  [Command.SecureErase, "secure erase"],
  [Command.Ioctl, "ioctl"],
]);

/** The name of a command as the protocol writes it: `WRITE_ZEROES`; `command 99` if it has none. */
export function describeCommand(command: number): string {
  return commands.get(command) ?? `command ${command}`;
}
