// SPDX-License-Identifier: MIT
// The WIT interface `network`, made of the functions of the core form.

import { Status } from "../../block/request.ts";
import { failure, known } from "./resources.ts";
import type { Services } from "./services.ts";
import { plainToken, type Start } from "./transfers.ts";
import type { Progress } from "./values.ts";

/** The interface, for one instance. */
export function networkFunctions(services: Services): Record<string, unknown> {
  return {
    Connection,
    connect: (address: string, token: number) => {
      const number = services.text(address, (pointer, length) => {
        return services.core.net_open!(0, pointer, 0, length, plainToken(token)) as number;
      });
      if (number < 0) throw failure(services, -number);
      return new Connection(services, number);
    },
  };
}

/** `connection`. As in resources.ts, jco makes objects of it itself for handles that do not exist. */
class Connection {
  /** Tokens by which the host knows what was begun last; negative ones. */
  reading = 0;
  writing = 0;

  constructor(readonly services: Services | undefined, readonly number: number) {}

  read(most: number, token: number): Uint8Array | undefined {
    const { core, transfers } = known(this.services);
    const start: Start = (pointer, held) => {
      const status = core.net_read!(this.number, 0, pointer, held);
      if (status === Status.Pending) this.reading = held;
      return status;
    };
    return transfers.received(most, token, start);
  }

  write(data: Uint8Array, token: number): Progress {
    const { core, transfers } = known(this.services);
    const start: Start = (pointer, held) => {
      const status = core.net_write!(this.number, 0, pointer, 0, data.length, held);
      if (status === Status.Pending) this.writing = held;
      return status;
    };
    return transfers.sent(data, token, start);
  }

  /** The host tells nobody any more of what is under way, and does not touch its memory. */
  [Symbol.dispose](): void {
    if (this.services === undefined) return;
    const { core, transfers } = this.services;
    core.net_close!(this.number);
    transfers.drop(this.reading);
    transfers.drop(this.writing);
  }
}
