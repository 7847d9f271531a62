// SPDX-License-Identifier: MIT
// Which commands a session offers and which flags each may carry (proto.md "Command flags").

import { Command } from "../block/request.ts";
import { CommandFlag, Replies, TransmissionFlag } from "./wire.ts";

/** In the table of `permittedFlags`: the command is not offered. */
export const NOT_OFFERED = -1;

/**
 * Per command: the flags that a request may carry, or NOT_OFFERED. `flags` are the transmission
 * flags that the client was told, `contexts` says whether it has selected metadata contexts.
 */
export function permittedFlags(flags: number, contexts: boolean, replies: Replies): Int32Array {
  const has = (flag: number) => (flags & flag) !== 0;
  const where = (condition: boolean, flag: number) => condition ? flag : 0;
  // FUA is valid for all commands once it is advertised, even where it means nothing.
  const fua = where(has(TransmissionFlag.SendFua), CommandFlag.Fua);
  const payload = where(replies === Replies.Extended, CommandFlag.PayloadLength);
  const table = new Int32Array(8).fill(NOT_OFFERED);
  table[Command.Read] = fua | where(has(TransmissionFlag.SendDf), CommandFlag.Df);
  // Nothing is answered to a disconnect, so nothing can be wrong with it.
  table[Command.Disconnect] = 0xffff;
  if (has(TransmissionFlag.SendFlush)) table[Command.Flush] = fua;
  if (has(TransmissionFlag.SendCache)) table[Command.Cache] = fua;
  if (contexts) {
    const filter = where(has(TransmissionFlag.BlockStatusPayload), CommandFlag.PayloadLength);
    table[Command.BlockStatus] = fua | CommandFlag.ReqOne | filter;
  }
  if (has(TransmissionFlag.ReadOnly)) return table;
  table[Command.Write] = fua | payload;
  if (has(TransmissionFlag.SendTrim)) table[Command.Trim] = fua;
  if (has(TransmissionFlag.SendWriteZeroes)) {
    const fast = where(has(TransmissionFlag.SendFastZero), CommandFlag.FastZero);
    table[Command.WriteZeroes] = fua | CommandFlag.NoHole | fast;
  }
  return table;
}
