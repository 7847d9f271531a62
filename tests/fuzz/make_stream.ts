// SPDX-License-Identifier: MIT
// Makes streams of a client that does nothing wrong: a handshake, then requests.

import { Command } from "../../core/block/request.ts";
import {
  encodeContextData,
  encodeInfoData,
  encodeRequest,
  encodeStatusPayload,
} from "../../core/nbd/client.ts";
import {
  BASE_ALLOCATION,
  CommandFlag,
  EXTENDED_REQUEST_MAGIC,
  Option,
  OPTION_MAGIC,
  Replies,
  REQUEST_MAGIC,
} from "../../core/nbd/wire.ts";
import type { ByteBuffer } from "./byte_buffer.ts";
import { NAMES } from "./exports.ts";
import type { Random } from "./random.ts";

const OPTIONS_MAX = 4;
const REQUESTS_MAX = 10;
const PAYLOAD_MAX = 1500;
const OFFSETS = [0, 1, 512, 1000, 4096, 12_288, 12_799, 12_800];
const LENGTHS = [0, 1, 7, 511, 512, 1024, 4096, 12_800];
const CONTEXTS = [BASE_ALLOCATION, "base:", "x-y:z", "nonsense"];

const infoData = new Map(
  NAMES.map((name) => [name, [encodeInfoData(name), encodeInfoData(name, [0, 1, 2, 3, 9])]]),
);
const contextData = new Map(
  NAMES.map((name) => [
    name,
    [[], [BASE_ALLOCATION], CONTEXTS].map((queries) => encodeContextData(name, queries)),
  ]),
);
const nameData = new Map(NAMES.map((name) => [name, new TextEncoder().encode(name)]));
const nothing = new Uint8Array(0);

/** Appends a whole stream to `out`, which is empty. It asks for exports among `names`. */
export function makeStream(random: Random, out: ByteBuffer, names = NAMES): void {
  out.u32(random.once(20) ? random.below(8) : 3 - 2 * random.below(2));
  const name = random.pick(names);
  let replies: Replies = random.pick([Replies.Simple, Replies.Structured, Replies.Extended]);
  if (replies !== Replies.Simple) {
    putOption(out, replies === Replies.Structured ? 8 : 11, nothing);
    if (random.once(2)) putOption(out, Option.SetMetaContext, contextData.get(name)![1]!);
  }
  for (let count = random.below(OPTIONS_MAX); count > 0; count--) {
    const option = random.pick([3, 5, 6, 8, 9, 10, 11, 4711]);
    if (option === Option.StructuredReply && replies === Replies.Simple) {
      replies = Replies.Structured;
    }
    if (option === Option.ExtendedHeaders) replies = Replies.Extended;
    putOption(out, option, optionData(option, random.once(4) ? random.pick(names) : name, random));
  }
  const last = random.once(6) ? Option.ExportName : random.once(40) ? Option.Abort : Option.Go;
  putOption(
    out,
    last,
    last === Option.Go ? infoData.get(name)![1]! : optionData(last, name, random),
  );
  for (let count = random.below(REQUESTS_MAX); count > 0; count--) putRequest(random, replies, out);
}

function putOption(out: ByteBuffer, option: number, data: Uint8Array): void {
  if (!out.fits(16 + data.length)) return;
  out.u32(OPTION_MAGIC.high);
  out.u32(OPTION_MAGIC.low);
  out.u32(option);
  out.u32(data.length);
  out.append(data);
}

function optionData(option: number, name: string, random: Random): Uint8Array {
  switch (option) {
    case Option.ExportName:
      return nameData.get(name)!;
    case Option.Info:
    case Option.Go:
      return random.pick(infoData.get(name)!);
    case Option.ListMetaContext:
    case Option.SetMetaContext:
      return random.pick(contextData.get(name)!);
    default:
      return nothing;
  }
}

/** Appends a request, mostly one that an export can carry out. */
function putRequest(random: Random, replies: Replies, out: ByteBuffer): void {
  const command = random.once(30)
    ? Command.Disconnect
    : random.pick([0, 0, 0, 1, 1, 3, 4, 5, 6, 7, 7]);
  const flags = random.once(4) ? usualFlags(command, random) : 0;
  if (command === Command.BlockStatus && replies === Replies.Extended && random.once(3)) {
    return putStatusWithPayload(random, out);
  }
  const isWrite = command === Command.Write;
  const length = isWrite
    ? random.below(PAYLOAD_MAX) & ~(random.below(2) * 511)
    : random.pick(LENGTHS);
  const extended = replies === Replies.Extended;
  if (!out.fits(32 + (isWrite ? length : 0))) return;
  out.u32(extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC);
  out.u16(extended && isWrite ? flags | CommandFlag.PayloadLength : flags);
  out.u16(command);
  out.u32(random.u32());
  out.u32(random.u32());
  out.u32(0);
  out.u32(random.pick(OFFSETS));
  if (extended) out.u32(0);
  out.u32(length);
  if (!isWrite) return;
  out.bytes.fill(random.u32(), out.length, out.length + length);
  out.length += length;
}

function usualFlags(command: number, random: Random): number {
  const own = command === Command.WriteZeroes
    ? random.pick([CommandFlag.NoHole, CommandFlag.FastZero])
    : command === Command.BlockStatus
    ? CommandFlag.ReqOne
    : command === Command.Read
    ? CommandFlag.Df
    : 0;
  return random.once(2) ? own : own | CommandFlag.Fua;
}

function putStatusWithPayload(random: Random, out: ByteBuffer): void {
  const ids = random.pick([[1], [1], [1, 1], [2], []]);
  const payload = encodeStatusPayload(BigInt(random.pick(LENGTHS)), ids);
  const request = encodeRequest({
    command: Command.BlockStatus,
    flags: CommandFlag.PayloadLength,
    cookie: BigInt(random.u32()),
    offset: BigInt(random.pick(OFFSETS)),
    payload,
  }, Replies.Extended);
  if (out.fits(request.length)) out.append(request);
}
