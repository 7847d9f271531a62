// SPDX-License-Identifier: MIT
// Nothing in a test waits for ever: what does not come in time fails, and says what was awaited.

/** How long anything may take that should happen at once. Long enough for a loaded machine. */
export const PATIENCE_MS = 15_000;

/** Time is counted in steps of so many milliseconds. */
const TICK_MS = 100;
/** How often `until` asks. */
const POLL_MS = 5;

/** The result of `promise`. Throws Error naming `what` when it takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, what: string, ms = PATIENCE_MS): Promise<T> {
  let timer;
  // In steps, because while this process was stopped, so perhaps was the one that it waits for.
  let left = ms;
  const late = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      left -= TICK_MS;
      if (left < 0) reject(new Error(`waited ${ms} ms in vain for ${what}`));
    }, TICK_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearInterval(timer);
  }
}

/**
 * Asks again and again until `condition` gives something other than null, undefined or false. For
 * what the system announces in no better way.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  ms = PATIENCE_MS,
): Promise<NonNullable<T>> {
  for (let left = ms; left > 0; left -= POLL_MS) {
    const result = await condition();
    if (result !== null && result !== undefined && result !== false) return result;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`waited ${ms} ms in vain for ${what}`);
}
