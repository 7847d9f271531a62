// SPDX-License-Identifier: MIT
// The functions of the WIT interface `host`, made of those of the core form.

import { Errno, errnoName } from "../../block/errno.ts";
import type { LOG_LEVELS } from "../instance.ts";
import { Context, shown } from "./resources.ts";
import type { Services } from "./services.ts";
import { plainToken } from "./transfers.ts";
import { FailureError, lower, upper } from "./values.ts";

const encoder = new TextEncoder();

/** The interface, for one instance. */
export function hostFunctions(services: Services): Record<string, unknown> {
  const { core, host } = services;
  return {
    Context,
    log: (level: typeof LOG_LEVELS[number], text: string) => {
      host.log(`log ${level}`, level, shown(text));
    },
    feature: (name: string) => {
      const bytes = encoder.encode(name);
      return services.lend(bytes.length, (pointer) => {
        services.memory.bytes.set(bytes, pointer);
        return core.feature!(0, pointer, 0, bytes.length) === 1;
      });
    },
    metric: (index: number, value: bigint) => core.metric!(index, upper(value), lower(value)),
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
  };
}

function openNext(services: Services, name: string, readOnly: boolean): Context {
  const { core, host } = services;
  const bytes = encoder.encode(name);
  const handle = services.lend(bytes.length, (pointer) => {
    services.memory.bytes.set(bytes, pointer);
    return core.next_open!(0, pointer, 0, bytes.length, readOnly ? 1 : 0) as number;
  });
  if (handle >= 0) return new Context(services, handle);
  const text = host.errorText || errnoName(-handle);
  throw new FailureError({ errno: handle < 0 ? -handle : Errno.EIO, text });
}
