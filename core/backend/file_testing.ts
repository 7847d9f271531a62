// SPDX-License-Identifier: MIT
// Files for the tests of the file backend: on the disk that holds the temporary directory, on tmpfs,
// with direct I/O and without io_uring.

import assert from "node:assert/strict";
import { join } from "node:path";
import { closeDescriptor } from "../../native/descriptor.ts";
import { inMemory, Open, openFile } from "../../native/file.ts";
import { FileDevice, type FileOptions } from "./file.ts";
import { FILE_MANIFEST } from "./file_manifest.ts";
import { TestClient } from "./testing.ts";
import type { ParameterValue } from "../plugin/parameters.ts";

/** A directory on tmpfs. */
export const MEMORY_DIRECTORY = "/dev/shm";
/** A directory on a disk, where the system's temporary directory may be in memory. */
export const DISK_DIRECTORY = [Deno.env.get("TMPDIR") ?? "/tmp", Deno.cwd()].find(isOnDisk)!;
if (DISK_DIRECTORY === undefined) {
  throw new Error("cannot test files on a disk: both TMPDIR and . are in memory");
}

/** A way to serve a file. */
export interface Target {
  name: string;
  /** Where temporary files go. */
  directory: string;
  parameters: Record<string, string | number | boolean>;
  options?: Partial<FileOptions>;
}

/** All behaviour that a client sees is the same on each of these. */
export const TARGETS: Target[] = [
  { name: "disk", directory: DISK_DIRECTORY, parameters: {} },
  {
    name: "disk without io_uring",
    directory: DISK_DIRECTORY,
    parameters: {},
    options: { ioUring: false },
  },
  { name: "disk past the page cache", directory: DISK_DIRECTORY, parameters: { direct: true } },
  { name: "memory", directory: MEMORY_DIRECTORY, parameters: {} },
];

/** Values as the parser of parameters makes them. */
export function values(given: Record<string, string | number | boolean>): ParameterValue[] {
  return FILE_MANIFEST.parameters.flatMap(({ name, type }, index): ParameterValue[] => {
    const value = given[name];
    if (value === undefined) return [];
    if (type === "int") return [{ name, index, type, value: BigInt(value) }];
    if (type === "bool") return [{ name, index, type, value: Boolean(value) }];
    if (type === "path") return [{ name, index, type, value: String(value) }];
    throw new Error(`No test value of type ${type}`);
  });
}

/** Makes a device; what it logs goes to `log`, else nowhere. */
export function fileDevice(
  given: Record<string, string | number | boolean>,
  options: Partial<FileOptions> = {},
): FileDevice {
  return FileDevice.create(values(given), { log: () => {}, ...options });
}

/** Runs `test` on a new sparse file of `size` bytes and removes it. */
export function withFile(
  target: Target,
  size: number,
  test: (client: TestClient, path: string) => void,
): void {
  const directory = Deno.makeTempDirSync({ dir: target.directory });
  try {
    const path = join(directory, "disk.img");
    Deno.writeFileSync(path, new Uint8Array());
    Deno.truncateSync(path, size);
    const device = fileDevice({ file: path, ...target.parameters }, target.options);
    const opened = device.open("", { readOnly: false, peer: "test" });
    const client = new TestClient(device, opened);
    const freeBytes = device.memory.freeBytes;
    try {
      test(client, path);
      client.giveBack();
      assert.equal(device.memory.freeBytes, freeBytes, "memory was not given back");
    } finally {
      client.close();
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** `withFile` on one target. */
export function onFile(
  directory: string,
  size: number,
  parameters: Record<string, string | number | boolean>,
  test: (client: TestClient, path: string) => void,
): void {
  withFile({ name: "", directory, parameters }, size, test);
}

/** Whether a command could be run and had success. */
export function succeeds(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stderr: "null", stdout: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function isOnDisk(path: string): boolean {
  const fd = openFile(path, Open.ReadOnly | Open.Directory);
  const onDisk = !inMemory(fd);
  closeDescriptor(fd);
  return onDisk;
}

/** `length` bytes that differ by place and by `seed`. */
export function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let state = seed * 2654435761 >>> 0;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    bytes[i] = (state >>> 24) | 1;
  }
  return bytes;
}
