// SPDX-License-Identifier: MIT
// What waits for the host: promises by the tokens of what was begun.

import { Failure, guarded } from "./errors.js";

/** By token: resolve, reject. */
const waiting = new Map();
let lastToken = 0;

function freeToken() {
  do lastToken = lastToken % 0x3fffffff + 1; while (waiting.has(lastToken));
  return lastToken;
}

/** Has `start` begin something with a token; a promise of what it brings. undefined: it comes later. */
export function begin(start) {
  const token = freeToken();
  return new Promise((resolve, reject) => {
    const result = guarded(() => start(token));
    if (result === "done") resolve(undefined);
    else if (result !== undefined && result !== "pending") resolve(result);
    else waiting.set(token, { resolve, reject });
  });
}

/** The host's way back. */
export function ended(token, outcome) {
  const waiter = waiting.get(token);
  if (waiter === undefined) return;
  waiting.delete(token);
  if (outcome.tag === "failed") waiter.reject(new Failure(outcome.val.errno, outcome.val.text));
  else waiter.resolve(outcome.val);
}

/** Has `start` set a timer that calls `run`. Returns a function that takes it back by `cancel`. */
export function onTimer(start, run, cancel) {
  const token = freeToken();
  guarded(() => start(token));
  const waiter = { resolve: () => run(), reject: () => {} };
  waiting.set(token, waiter);
  return () => {
    if (waiting.get(token) !== waiter || !cancel(token)) return false;
    waiting.delete(token);
    return true;
  };
}

/** Forgets what `start` of `begin` got as its token: it fails with `failure`. */
export function abandon(token, failure) {
  const waiter = waiting.get(token);
  waiting.delete(token);
  waiter?.reject(failure);
}
