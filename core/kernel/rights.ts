// SPDX-License-Identifier: MIT
// What this process may do (capabilities(7)).

const CAP_SYS_ADMIN = 21n;

/** Whether it has CAP_SYS_ADMIN, which making devices takes. */
export function hasSysAdmin(): boolean {
  const status = Deno.readTextFileSync("/proc/self/status");
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  return (bits >> CAP_SYS_ADMIN & 1n) === 1n;
}
