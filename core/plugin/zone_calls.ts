// SPDX-License-Identifier: MIT
// Requests about the zones of an open export, as calls of the plugin (ABI, "Zones").

import { Errno } from "../block/errno.ts";
import type { ExportInfo } from "../block/export.ts";
import type { Request, RequestSink } from "../block/request.ts";
import { ZoneCommand } from "../block/zones.ts";
import type { Answer } from "./answer.ts";
import { Expect } from "./answer_pieces.ts";
import type { PluginCalls, RangeCall } from "./calls.ts";
import type { Host } from "./host.ts";

/** What is needed of an open export. */
export interface ZonedExport extends RequestSink {
  readonly info: ExportInfo;
  readonly host: Host;
  /** Pointer to the payload of a request for the plugin, or a negative number without memory for it. */
  payload(answer: Answer, request: Request): number;
}

const NAMES = {
  [ZoneCommand.Report]: "sb_zone_report",
  [ZoneCommand.Append]: "sb_zone_append",
  [ZoneCommand.Open]: "sb_zone_open",
  [ZoneCommand.Close]: "sb_zone_close",
  [ZoneCommand.Finish]: "sb_zone_finish",
  [ZoneCommand.Reset]: "sb_zone_reset",
} as const;

/** See the top of this file. */
export class ZoneCalls {
  readonly #opened: ZonedExport;
  readonly #calls: PluginCalls;
  readonly #handle: number;

  constructor(opened: ZonedExport, calls: PluginCalls, handle: number) {
    this.#opened = opened;
    this.#calls = calls;
    this.#handle = handle;
  }

  /**
   * Has the plugin carry out a request that refuseZones has found nothing wrong with. `isUnfinished`: the export
   * is to go on with it when it was pending. As OpenExport.submit.
   */
  submit(request: Request, flags: number, isUnfinished: boolean): number {
    const { host, info } = this.#opened;
    const name = NAMES[request.command as keyof typeof NAMES];
    if (this.#calls[name] === undefined) {
      request.errorText = `the export has no ${name.replace("sb_zone_", "")} of zones`;
      return Errno.EOPNOTSUPP;
    }
    // Memory of what was written may become something else.
    if (request.command === ZoneCommand.Reset) host.settleStable();
    const answer = host.answers.take();
    if (answer === null) {
      request.errorText = "too many requests are under way";
      return Errno.ENOMEM;
    }
    host.enter();
    answer.begin(request, expected(request.command), request.length);
    answer.zones = info.zones!;
    answer.zoneBlock = info.blockSize.minimum;
    if (isUnfinished) answer.owner = this.#opened;
    let status: number;
    try {
      status = name === "sb_zone_append"
        ? this.#append(answer, request, flags)
        : this.#range(this.#calls[name]!, answer, request);
    } catch (error) {
      status = host.caught(name, error);
    }
    host.leave();
    return host.settle(name, answer, status);
  }

  #range(call: RangeCall, answer: Answer, request: Request): number {
    const { lengthHigh, lengthLow, offsetHigh, offsetLow } = request;
    return call(this.#handle, answer.id, lengthHigh, lengthLow, offsetHigh, offsetLow, 0);
  }

  #append(answer: Answer, request: Request, flags: number): number {
    const pointer = this.#opened.payload(answer, request);
    if (pointer < 0) return Errno.ENOMEM;
    const { lengthHigh, lengthLow, offsetHigh, offsetLow } = request;
    return this.#calls.sb_zone_append!(
      this.#handle,
      answer.id,
      pointer,
      lengthHigh,
      lengthLow,
      offsetHigh,
      offsetLow,
      flags,
    );
  }
}

function expected(command: number): number {
  if (command === ZoneCommand.Report) return Expect.Zones;
  return command === ZoneCommand.Append ? Expect.Place : Expect.Nothing;
}
