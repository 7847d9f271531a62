// SPDX-License-Identifier: MIT
// A filter that keeps data in front of a disk must behave as an array of bytes does, whatever it does
// meanwhile. Random requests, many at once, against such an array.

import assert from "node:assert/strict";
import { Refused, type TestClient } from "../core/backend/testing.ts";
import { Command, Piece, type Request, RequestFlag } from "../core/block/request.ts";
import { fill } from "./test_graph.ts";
import { assertSameBytes, randomFrom } from "./test_nodes.ts";

/** What random work consists of. */
export interface Work {
  /** Rounds of several requests at once. */
  rounds: number;
  seed: number;
  /** Requests at once, at most. */
  together?: number;
  /** Longest request in bytes. */
  lengthMax?: number;
  /** Called after each round. */
  each?(round: number): void;
}

interface Piecework {
  request: Request;
  /** Bytes that a read must give. */
  expected: Uint8Array | null;
}

/** Does random work on `disk` and on `model`, which must be its content, and compares. */
export function compareWithArray(disk: TestClient, model: Uint8Array, work: Work): void {
  const random = randomFrom(work.seed);
  const lengthMax = Math.min(work.lengthMax ?? 20_000, model.length);
  for (let round = 0; round < work.rounds; round++) {
    const count = 1 + random(work.together ?? 1);
    const jobs = ranges(random, count, model.length, lengthMax).map(([at, length]) => {
      return begin(disk, model, random, at, length);
    });
    const errnos = disk.together(jobs.map(({ request }) => request));
    jobs.forEach((job, index) => {
      const { command, offset, length, errorText } = job.request;
      const what = `round ${round}: command ${command}, ${length} bytes at ${offset}`;
      assert.equal(errnos[index], 0, `${what}: ${errorText}`);
      if (job.expected !== null) assertSameBytes(bytesOf(disk, job.request), job.expected, what);
    });
    disk.giveBack();
    if (random(8) === 0) trim(disk, model, random, lengthMax);
    if (random(16) === 0) disk.flush();
    work.each?.(round);
  }
  assertSameBytes(disk.read(0, model.length), model, "all at the end");
}

/** Ranges that do not overlap, so that it does not matter which request is done first. */
function ranges(
  random: (bound: number) => number,
  count: number,
  size: number,
  lengthMax: number,
): [number, number][] {
  const share = Math.floor(size / count);
  return Array.from({ length: count }, (_, i) => {
    const length = 1 + random(Math.min(lengthMax, share));
    const at = i * share + random(share - length + 1);
    // Often whole blocks, which are treated differently.
    if (random(3) > 0 || share < 8192) return [at, length];
    const start = Math.ceil(i * share / 4096) * 4096;
    return [start, Math.min(Math.ceil(length / 4096) * 4096, (i + 1) * share - start)];
  });
}

function begin(
  disk: TestClient,
  model: Uint8Array,
  random: (bound: number) => number,
  at: number,
  length: number,
): Piecework {
  const kind = random(10);
  if (kind < 4) {
    const request = disk.request(Command.Read, at, BigInt(length), 0);
    return { request, expected: model.slice(at, at + length) };
  }
  const fua = random(10) === 0 ? RequestFlag.Fua : 0;
  if (kind < 8) {
    const data = fill(length, random(256));
    model.set(data, at);
    return { request: disk.writeRequest(at, data, fua), expected: null };
  }
  const flags = fua | (kind === 8 ? RequestFlag.NoHole : 0);
  model.fill(0, at, at + length);
  return { request: disk.request(Command.WriteZeroes, at, BigInt(length), flags), expected: null };
}

/** What is trimmed may be anything that it was or zeroes; whatever it is, it stays. */
function trim(
  disk: TestClient,
  model: Uint8Array,
  random: (bound: number) => number,
  lengthMax: number,
): void {
  const length = 1 + random(lengthMax);
  const at = random(model.length - length + 1);
  try {
    disk.trim(at, length);
  } catch (error) {
    // A filter above what cannot trim cannot either.
    if (error instanceof Refused && error.errno === 22) return;
    throw error;
  }
  const now = disk.read(at, length);
  const wrong = now.findIndex((byte, i) => byte !== 0 && byte !== model[at + i]);
  assert.equal(wrong, -1, `byte ${at + wrong} is neither 0 nor what it was after a trim`);
  model.set(now, at);
}

function bytesOf(disk: TestClient, request: Request): Uint8Array {
  const bytes = new Uint8Array(request.length);
  for (let i = 0; i < request.pieceCount; i++) {
    const kind = request.pieceKind(i);
    assert.notEqual(kind, Piece.Error);
    if (kind !== Piece.Data && kind !== Piece.StableData) continue;
    bytes.set(disk.bytesAt(request.pieceValue(i), request.pieceLength(i)), request.pieceAt(i));
  }
  return bytes;
}
