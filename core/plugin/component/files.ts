// SPDX-License-Identifier: MIT
// The WIT interface `files`, made of the functions of the core form.

import { failure, known, progressOf } from "./resources.ts";
import type { Services } from "./services.ts";
import { lengthOf, plainToken } from "./transfers.ts";
import {
  type CallFlags,
  type FileFlags,
  fileFlagsNumber,
  flagsNumber,
  lower,
  type Progress,
  upper,
} from "./values.ts";

/** The interface, for one instance. */
export function fileFunctions(services: Services): Record<string, unknown> {
  return {
    File,
    open: (path: string, flags: FileFlags) => {
      const number = services.text(path, (pointer, length) => {
        const bits = fileFlagsNumber(flags);
        return services.core.file_open!(0, pointer, 0, length, bits) as number;
      });
      if (number < 0) throw failure(services, -number);
      return new File(services, number);
    },
  };
}

/** `file`. As in resources.ts, jco makes objects of it itself for handles that do not exist. */
class File {
  constructor(readonly services: Services | undefined, readonly number: number) {}

  size(): bigint {
    const services = known(this.services);
    const size = services.core.file_size!(this.number) as bigint;
    if (size < 0n) throw failure(services, Number(-size));
    return size;
  }

  resize(size: bigint): void {
    const services = known(this.services);
    const errno = services.core.file_resize!(this.number, upper(size), lower(size)) as number;
    if (errno !== 0) throw failure(services, errno);
  }

  pread(count: bigint, offset: bigint, token: number): Uint8Array | undefined {
    const { core, transfers } = known(this.services);
    return transfers.data(
      lengthOf(count),
      token,
      (pointer, held) =>
        core.file_pread!(
          this.number,
          0,
          pointer,
          upper(count),
          lower(count),
          upper(offset),
          lower(offset),
          0,
          held,
        ),
      true,
    );
  }

  pwrite(data: Uint8Array, offset: bigint, flags: CallFlags, token: number): Progress {
    const { core, transfers } = known(this.services);
    return transfers.sent(
      data,
      token,
      (pointer, held) =>
        core.file_pwrite!(
          this.number,
          0,
          pointer,
          0,
          data.length,
          upper(offset),
          lower(offset),
          flagsNumber(flags),
          held,
        ),
      true,
    );
  }

  sync(token: number): Progress {
    const services = known(this.services);
    const status = services.core.file_sync!(this.number, 0, plainToken(token));
    return progressOf(services, status as number);
  }

  zero(count: bigint, offset: bigint, flags: CallFlags, token: number): Progress {
    const services = known(this.services);
    const status = services.core.file_zero!(
      this.number,
      upper(count),
      lower(count),
      upper(offset),
      lower(offset),
      flagsNumber(flags),
      plainToken(token),
    );
    return progressOf(services, status as number);
  }

  [Symbol.dispose](): void {
    if (this.services !== undefined) this.services.core.file_close!(this.number);
  }
}
