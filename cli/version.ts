// SPDX-License-Identifier: MIT
// The version of sandblock, from its one place.

import config from "../deno.json" with { type: "json" };

/** Semantic version, as `1.2.3`. */
export const VERSION: string = config.version;
