// SPDX-License-Identifier: MIT
// Absolute paths, without node:path: loading that takes longer than all else that a start does.

/**
 * `path` from the root, seen from `directory`, which is absolute. Empty and `.` segments go; `..`
 * stays, because what is above a directory that is a symbolic link only the system knows.
 */
export function absolutePath(directory: string, path: string): string {
  const joined = path.startsWith("/") ? path : `${directory}/${path}`;
  const segments = joined.split("/").filter((segment) => segment !== "" && segment !== ".");
  return `/${segments.join("/")}`;
}
