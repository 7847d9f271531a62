// SPDX-License-Identifier: MIT
// The functions of the WIT interface `host`, made of those of the core form.

import { Errno, errnoName } from "../../block/errno.ts";
import type { LOG_LEVELS } from "../instance.ts";
import type { ExportEntry } from "../../block/export.ts";
import { listIn } from "../next_exports.ts";
import { Context, failure, shown } from "./resources.ts";
import type { Services } from "./services.ts";
import { plainToken } from "./transfers.ts";
import { FailureError, lower, upper } from "./values.ts";

const decoder = new TextDecoder();

/** The interface, for one instance. */
export function hostFunctions(services: Services): Record<string, unknown> {
  const { core, host } = services;
  return {
    Context,
    log: (level: typeof LOG_LEVELS[number], text: string) => {
      host.log(`log ${level}`, level, shown(text));
    },
    feature: (name: string) => {
      return services.text(name, (pointer, length) => core.feature!(0, pointer, 0, length) === 1);
    },
    metric: (index: number, value: bigint) => core.metric!(index, upper(value), lower(value)),
    blockAdvice: (minimum: number, preferred: number, maximum: number) => {
      core.block_advice!(minimum | 0, preferred | 0, maximum | 0);
    },
    timer: (nanoseconds: bigint, token: number) => {
      const errno = core.timer!(
        upper(nanoseconds),
        lower(nanoseconds),
        plainToken(token),
      ) as number;
      if (errno !== 0) throw new FailureError({ errno, text: errnoName(errno) });
    },
    cancel: (token: number) => core.cancel!(plainToken(token)) === 1,
    openNext: (name: string, readOnly: boolean) => openNext(services, name, readOnly),
    listNext: (child: number) => listNext(services, child),
    defaultNext: (child: number) => defaultNext(services, child),
  };
}

function openNext(services: Services, name: string, readOnly: boolean): Context {
  const handle = services.text(name, (pointer, length) => {
    return services.core.next_open!(0, pointer, 0, length, readOnly ? 1 : 0) as number;
  });
  if (handle < 0) throw failure(services, -handle);
  return new Context(services, handle);
}

/** Bytes of a list that most lists fit into. */
const LIST_BYTES = 4096;

function listNext(services: Services, child: number): ExportEntry[] {
  let room = LIST_BYTES;
  while (true) {
    let length = 0;
    const bytes = services.lend(room, (pointer) => {
      length = services.core.next_list!(child, 0, pointer, 0, room) as number;
      return services.memory.bytes.slice(pointer, pointer + Math.min(length, room));
    });
    if (length === 0) throw failure(services, Errno.EIO);
    if (length <= room) return listIn(bytes);
    room = length;
  }
}

function defaultNext(services: Services, child: number): string | undefined {
  return services.lend(LIST_BYTES, (pointer) => {
    const length = services.core.next_default!(child, 0, pointer, 0, LIST_BYTES) as number;
    if (length === -Errno.ENOENT) return undefined;
    if (length < 0) throw failure(services, -length);
    return decoder.decode(services.memory.bytes.subarray(pointer, pointer + length));
  });
}
