// SPDX-License-Identifier: MIT
// Several requests to what is below that make up one step of a task: the step is done when all are.

import { Task } from "./task";
import { PENDING } from "./later";

/** A task that waits for several requests, all with its token. */
@unmanaged
export class Join extends Task {
  /** Requests that are under way. */
  left: i32;
  /** The first error; 0 while there is none. */
  errno: i32;
}

/** Takes note of a request that has returned `status`. */
export function add(join: Join, status: i32): void {
  if (status == PENDING) join.left++;
  else if (status && !join.errno) join.errno = status;
}

/** Takes note of the end of a request. Returns whether it was the last one. */
export function arrived(join: Join, result: i32): bool {
  if (result && !join.errno) join.errno = result;
  return --join.left == 0;
}
