// SPDX-License-Identifier: MIT
// Names of what becomes of an instance that has trapped or taken too long; see restart.ts.

/** `fail`: its requests fail and it is used on. `restart`, `backoff`: it gets a successor. */
export const RESTART_POLICIES = ["fail", "restart", "backoff"] as const;
export type RestartPolicy = typeof RESTART_POLICIES[number];
