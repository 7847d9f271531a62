// SPDX-License-Identifier: MIT
// The fuzzing that belongs to the tests: short, and with a new seed each time, which is printed.
//   deno task fuzz [--streams N] [--seed S] [--jobs J]

import { parseArgs } from "node:util";
import { fuzz } from "./nbd.ts";
import { fuzzSocket } from "./socket.ts";

const STREAMS = 200_000;
const SOCKET_STREAMS = 4_000;

const text = { type: "string" } as const;
const { values } = parseArgs({
  options: {
    streams: { ...text, default: `${STREAMS}` },
    seed: { ...text, default: `${Date.now() % 1_000_000_000}` },
    jobs: { ...text, default: `${navigator.hardwareConcurrency}` },
  },
});
const [streams, seed, jobs] = [values.streams, values.seed, values.jobs].map(Number);
const wrong = [streams, seed, jobs].some((number) => !Number.isSafeInteger(number) || number! < 0);
if (wrong) {
  console.error("fuzz: error: cannot use options: streams, seed and jobs are whole numbers");
  Deno.exit(1);
}
if (!await fuzz({ streams: streams!, seed: seed!, jobs: jobs!, first: 0 })) Deno.exit(1);
try {
  await fuzzSocket({ streams: SOCKET_STREAMS, seed: seed! });
} catch (error) {
  console.error(`fuzz: socket, seed ${seed}: ${(error as Error).message}`);
  Deno.exit(1);
}
