// SPDX-License-Identifier: MIT
// Nothing in a test waits for ever: what does not come in time fails, and says what was awaited.

/** How long anything may take that should happen at once. Long enough for a loaded machine. */
export const PATIENCE_MS = 15_000;

/** The result of `promise`. Throws Error naming `what` when it takes longer than `ms`. */
export async function within<T>(promise: Promise<T>, what: string, ms = PATIENCE_MS): Promise<T> {
  let timer;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms in vain for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
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
  const end = performance.now() + ms;
  while (true) {
    const result = await condition();
    if (result !== null && result !== undefined && result !== false) return result;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
