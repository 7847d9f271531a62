// SPDX-License-Identifier: MIT
// --fd and what goes with it: a client whose handshake is over (proto.md "Transmission flags").

import type { InheritedConnection, TransmissionOptions } from "../../core/control/options.ts";
import { TransmissionFlag } from "../../core/nbd/wire.ts";
import { didYouMean } from "../../core/plugin/suggest.ts";
import { UsageError } from "../errors.ts";
import { count, exactSize } from "../values.ts";
import type { ServeValues } from "./options.ts";

const FD_MAX = 2 ** 20;
/** The flags field has 16 bits. */
const FLAGS_MAX = 0xffff;

/** The protocol's names in lower case, without the prefixes that say nothing. */
const FLAG_NAMES: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(TransmissionFlag).map(([name, bit]) => {
    const dashed = name.replace(/^(Send|Can)/, "").replace(/[A-Z]/g, (l) => `-${l.toLowerCase()}`);
    return [dashed.slice(1), bit];
  }),
);

const REPLIES = ["simple", "structured", "extended"] as const;

/** The connection that --fd names, or none. Throws UsageError. */
export function planTransmission(values: ServeValues): InheritedConnection[] {
  const { fd, fdSize, fdFlags, fdReplies = "simple", fdExport } = values;
  if (fd === undefined) {
    const [stray] = (["fdSize", "fdFlags", "fdReplies", "fdExport"] as const)
      .filter((key) => values[key] !== undefined);
    if (!stray) return [];
    const option = stray.replace("fd", "--fd-").toLowerCase();
    throw new UsageError(`cannot use ${option} without --fd: there is no descriptor to serve on`);
  }
  if (fdSize === undefined || fdFlags === undefined) {
    const missing = fdSize === undefined ? "--fd-size" : "--fd-flags";
    throw new UsageError(`cannot use --fd without ${missing}: it says what the client was told`);
  }
  const replies = REPLIES.find((name) => name === fdReplies);
  if (!replies) {
    throw new UsageError(
      `cannot use --fd-replies "${fdReplies}": it is one of ${REPLIES.join(", ")}` +
        didYouMean(fdReplies, REPLIES),
    );
  }
  const transmission: TransmissionOptions = {
    exportName: fdExport ?? "",
    size: exactSize("--fd-size", fdSize),
    flags: transmissionFlags(fdFlags),
    replies,
  };
  const number = count("--fd", fd, { minimum: 0, maximum: FD_MAX });
  return [{ inputFd: number, outputFd: number, transmission }];
}

function transmissionFlags(text: string): number {
  if (/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
    const flags = Number(text);
    if (flags <= FLAGS_MAX) return flags | TransmissionFlag.HasFlags;
    throw new UsageError(`cannot use --fd-flags "${text}": it is more than 0xffff`);
  }
  let flags: number = TransmissionFlag.HasFlags;
  for (const name of text.split(",").filter((word) => word !== "")) {
    const bit = FLAG_NAMES[name];
    if (bit === undefined) {
      const names = Object.keys(FLAG_NAMES);
      const right = didYouMean(name, names) || `; the flags are ${names.join(", ")}`;
      throw new UsageError(`cannot use --fd-flags "${text}": there is no flag "${name}"${right}`);
    }
    flags |= bit;
  }
  return flags;
}
