// SPDX-License-Identifier: MIT
// All checks, in the order in which they are run.

import type { Check } from "./kit.ts";
import { below, errors } from "./checks/below.ts";
import { ioctl, secureErase } from "./checks/erasing.ts";
import { exports, open } from "./checks/exports.ts";
import { manifest } from "./checks/manifest.ts";
import { overlap, random } from "./checks/random.ts";
import { read, stable } from "./checks/reading.ts";
import { idle, leaks, memory, metrics } from "./checks/resources.ts";
import { handles, instances } from "./checks/sharing.ts";
import { connect, parameters, start } from "./checks/start.ts";
import { cache, extents, flush } from "./checks/state.ts";
import { fastZero, trim, write, zero } from "./checks/writing.ts";
import { zones } from "./checks/zones.ts";

/** See the top of this file. */
export const CHECKS: readonly Check[] = [
  manifest,
  start,
  parameters,
  connect,
  exports,
  open,
  read,
  stable,
  write,
  zero,
  fastZero,
  trim,
  secureErase,
  ioctl,
  extents,
  cache,
  flush,
  zones,
  handles,
  instances,
  random,
  overlap,
  errors,
  below,
  memory,
  leaks,
  metrics,
  idle,
];
