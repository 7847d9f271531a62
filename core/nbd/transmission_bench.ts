// SPDX-License-Identifier: MIT
// What the protocol costs per request: `deno bench core/nbd`. Each round is 1000 requests, so that
// microseconds per round are nanoseconds per request.

import { Command, Request } from "../block/request.ts";
import { encodeRequest } from "./client.ts";
import type { Gather } from "./gather.ts";
import { frameReply } from "./reply.ts";
import { decodeRequest, payloadLength } from "./request.ts";
import { createSession } from "./session.ts";
import { exportInfo, ModelExport } from "./testing/model_export.ts";
import { validateRequest } from "./validate.ts";
import { CommandFlag, Replies } from "./wire.ts";

const ROUND = 1000;
const INFO = { ...exportInfo(0), sizeHigh: 1 };

/** Counts bytes and segments and keeps only headers, over and over in the same place. */
class CountingGather implements Gather {
  readonly headerView = new DataView(new ArrayBuffer(65536));
  bytesTotal = 0;
  #at = 0;

  header(length: number): number {
    if (this.#at + length > 65536) this.#at = 0;
    const at = this.#at;
    this.#at += length;
    this.bytesTotal += length;
    return at;
  }

  memory(_pointer: number, length: number): void {
    this.bytesTotal += length;
  }

  zeroes(length: number): void {
    this.bytesTotal += length;
  }

  bytes(data: Uint8Array): void {
    this.bytesTotal += data.length;
  }
}

/** The headers of a round of requests, reads and writes of 4096 bytes at random places. */
function headers(replies: Replies): DataView {
  const length = replies === Replies.Extended ? 32 : 28;
  const all = new Uint8Array(ROUND * length);
  for (let i = 0; i < ROUND; i++) {
    const request = encodeRequest({
      command: i % 2 === 0 ? Command.Read : Command.Write,
      cookie: BigInt(i) << 40n,
      offset: BigInt(i * 7919 % 65536) * 4096n,
      length: 4096n,
    }, replies);
    all.set(request, i * length);
  }
  return new DataView(all.buffer);
}

for (const [name, replies] of Object.entries(Replies)) {
  const view = headers(replies);
  const width = view.byteLength / ROUND;
  const opened = Object.assign(new ModelExport(exportInfo(0)), { info: INFO });
  const metaContexts = replies === Replies.Simple ? [] : [{ id: 1, name: "base:allocation" }];
  const session = createSession({ export: opened, exportName: "disk", replies, metaContexts });
  const request = new Request();
  const gather = new CountingGather();
  let sum = 0;

  Deno.bench(`decode, ${name}`, { group: name }, () => {
    for (let i = 0; i < ROUND; i++) {
      if (!decodeRequest(view, i * width, replies, request)) throw new Error("wrong magic");
      sum += payloadLength(request, replies);
    }
  });

  Deno.bench(`decode and validate, ${name}`, { group: name }, () => {
    for (let i = 0; i < ROUND; i++) {
      decodeRequest(view, i * width, replies, request);
      sum += payloadLength(request, replies) + validateRequest(request, session);
    }
  });

  Deno.bench(`decode, validate, answer and frame, ${name}`, { group: name }, () => {
    for (let i = 0; i < ROUND; i++) {
      decodeRequest(view, i * width, replies, request);
      sum += payloadLength(request, replies) + validateRequest(request, session);
      if (request.command === Command.Read) request.data(0, 65536, 4096, true);
      frameReply(request, 0, session, gather);
    }
  });

  Deno.bench(`frame a read in 8 runs of data and holes, ${name}`, { group: name }, () => {
    request.command = Command.Read;
    request.flags = 0;
    request.lengthLow = 4096;
    for (let i = 0; i < ROUND; i++) {
      request.clear();
      for (let at = 0; at < 4096; at += 1024) {
        request.data(at, 65536 + at, 512, true);
        request.zero(at + 512, 512, true);
      }
      frameReply(request, 0, session, gather);
    }
  });

  if (replies !== Replies.Simple) {
    Deno.bench(`frame a block status of 16 extents, ${name}`, { group: name }, () => {
      request.command = Command.BlockStatus;
      request.flags = CommandFlag.PayloadLength;
      request.lengthLow = 65536;
      request.contexts = 1;
      for (let i = 0; i < ROUND; i++) {
        request.clear();
        for (let extent = 0; extent < 16; extent++) request.extent(0, 4096, extent % 2 * 3);
        frameReply(request, 0, session, gather);
      }
    });
  }

  globalThis.addEventListener("unload", () => {
    if (sum < 0) console.log(sum, gather.bytesTotal);
  });
}
