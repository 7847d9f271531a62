// SPDX-License-Identifier: MIT
// INFO and GO (proto.md "NBD_OPT_INFO and NBD_OPT_GO", "NBD_REP_INFO"): what an export is, and with
// GO the way into transmission. Both run the same code, since both must say the same.

import { BlockError } from "../block/errno.ts";
import { BLOCK_SIZE_DEFAULT } from "../block/export.ts";
import { hasDefaultBlockSize, payloadMaximum } from "./block_size.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import { transmissionFlags } from "./flags.ts";
import { failBlockError } from "./opt_errors.ts";
import {
  type Haggle,
  type OpenedExport,
  type OptionHandler,
  selectedContexts,
} from "./option_table.ts";
import { decodeString, encodeText } from "./text.ts";
import { Info, Reply, STRING_MAX } from "./wire.ts";

/** A name of the greatest length and as many information requests as their count can say. */
const DATA_MAX = 4 + STRING_MAX + 2 + 2 * 0xffff;

export const info: OptionHandler = {
  name: "INFO",
  dataMax: DATA_MAX,
  handle: (haggle, data) => void describe(haggle, data),
  handleOverlong: refuseOverlong,
};

export const go: OptionHandler = {
  name: "GO",
  dataMax: DATA_MAX,
  handle(haggle, data) {
    if (describe(haggle, data)) haggle.enterTransmission();
  },
  handleOverlong: refuseOverlong,
};

interface InfoRequest {
  name: string;
  wanted: Set<number>;
}

function refuseOverlong(haggle: Haggle): void {
  haggle.fail(Reply.Invalid, "the data is longer than its fields can be");
}

/** Answers the option; true where the answer is Ack. */
function describe(haggle: Haggle, data: Uint8Array): boolean {
  const request = parse(data);
  if (typeof request === "string") {
    haggle.fail(Reply.Invalid, request);
    return false;
  }
  let opened: OpenedExport;
  try {
    opened = haggle.open(request.name);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    failBlockError(haggle, error);
    return false;
  }
  return answer(haggle, request, opened);
}

/** The fields of the option, or what is wrong with them. */
function parse(data: Uint8Array): InfoRequest | string {
  const reader = new ByteReader(data);
  const nameBytes = reader.bytes(reader.u32());
  const count = reader.u16();
  if (reader.failed) return "the name does not fit into the data";
  const name = decodeString(nameBytes);
  if (name === null) return "the name is not UTF-8 of at most 4096 bytes without NUL";
  if (reader.left !== 2 * count) return "the information requests do not fill the data";
  const wanted = new Set<number>();
  while (reader.left > 0) wanted.add(reader.u16());
  return { name, wanted };
}

function answer(haggle: Haggle, request: InfoRequest, opened: OpenedExport): boolean {
  const { info } = opened.export;
  const contexts = selectedContexts(haggle, opened).length > 0;
  const flags = transmissionFlags(info, haggle.replies, contexts);
  const exportInfo = new ByteWriter(12).u16(Info.Export);
  haggle.reply(Reply.Info, exportInfo.halves(info.sizeHigh, info.sizeLow).u16(flags).finish());
  if (request.wanted.has(Info.Name)) replyText(haggle, Info.Name, opened.name);
  if (request.wanted.has(Info.Description) && info.description !== "") {
    replyText(haggle, Info.Description, info.description);
  }
  const { minimum, preferred, maximum } = info.advertised ?? info.blockSize;
  const asked = request.wanted.has(Info.BlockSize);
  const unusual = info.advertised !== undefined || preferred !== BLOCK_SIZE_DEFAULT.preferred;
  if (asked || !hasDefaultBlockSize(info) || unusual) {
    const sizes = new ByteWriter(14).u16(Info.BlockSize);
    sizes.u32(minimum).u32(preferred).u32(Math.min(maximum, payloadMaximum(info)));
    haggle.reply(Reply.Info, sizes.finish());
  }
  if (!asked && !hasDefaultBlockSize(info)) {
    haggle.fail(Reply.BlockSizeRequired, "the export has block sizes that must be asked for");
    return false;
  }
  haggle.reply(Reply.Ack);
  return true;
}

function replyText(haggle: Haggle, type: number, text: string): void {
  const bytes = encodeText(text);
  haggle.reply(Reply.Info, new ByteWriter(2 + bytes.length).u16(type).bytes(bytes).finish());
}
