// SPDX-License-Identifier: MIT
// For tests: requests that are to be refused or accepted, on their own or by a whole server.

import assert from "node:assert/strict";
import { type ExportInfo, Support } from "../../block/export.ts";
import { Request } from "../../block/request.ts";
import { highOf, lowOf } from "../../block/uint64.ts";
import type { ClientRequest } from "../client.ts";
import { createSession, type Session } from "../session.ts";
import { ANSWERED, validateRequest } from "../validate.ts";
import { Replies } from "../wire.ts";
import { exportInfo, ModelExport } from "./model_export.ts";
import { Client } from "./talk.ts";

/** Size of `disk`. */
export const SIZE = 65536n;
/** Every framing of replies. */
export const EACH = [Replies.Simple, Replies.Structured, Replies.Extended];

/** An export of SIZE bytes that can do everything; `changes` as wanted. */
export function disk(changes: Partial<ExportInfo> = {}): ExportInfo {
  return exportInfo(Number(SIZE), changes);
}

/** The same without some capabilities. */
export function without(...names: (keyof ExportInfo["can"])[]): ExportInfo {
  const can = { ...disk().can };
  for (const name of names) can[name] = Support.None;
  return disk({ can });
}

/** Expects `errno` for a request under all framings of replies, in step, not seen by the device. */
export function refused(request: ClientRequest, errno: number, info = disk()): void {
  for (const replies of EACH) {
    const client = new Client(info, { replies, contexts: replies !== Replies.Simple });
    const before = client.export.counts.reduce((a, b) => a + b);
    assert.equal(client.errno(request), errno);
    assert.equal(client.export.counts.reduce((a, b) => a + b), before);
    client.assertInStep();
  }
}

/** Expects success under all framings of replies, in step. */
export function accepted(request: ClientRequest, info = disk()): void {
  for (const replies of EACH) {
    const client = new Client(info, { replies });
    assert.equal(client.errno(request), 0);
    client.assertInStep();
  }
}

/** A session with an export of any size: there need not be as many bytes, nothing is submitted. */
export function sessionOf(info: ExportInfo, replies: Replies): Session {
  const opened = Object.assign(new ModelExport(exportInfo(0)), { info });
  const metaContexts = [{ id: 1, name: "base:allocation" }];
  return createSession({ export: opened, exportName: "disk", replies, metaContexts });
}

/** A request as it is after decoding. */
export function requestOf(command: number, offset: bigint, length: bigint): Request {
  return Object.assign(new Request(), {
    command,
    offsetHigh: highOf(offset),
    offsetLow: lowOf(offset),
    lengthHigh: highOf(length),
    lengthLow: lowOf(length),
  });
}

/** What validation says of a request that it must not answer itself. */
export function verdict(session: Session, command: number, offset: bigint, length: bigint): number {
  const result = validateRequest(requestOf(command, offset, length), session);
  assert.notEqual(result, ANSWERED);
  return result;
}
