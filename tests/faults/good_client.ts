// SPDX-License-Identifier: MIT
// A client that does nothing wrong, to see whether it suffers from those that do.

import assert from "node:assert/strict";
import { assertSameBytes, noise } from "../support/bytes.ts";
import { within } from "../support/deadline.ts";
import type { TestServer } from "../support/server.ts";

/** What takes milliseconds on an idle machine and must not wait for a faulty client. */
export const PROMPT_MS = 8000;

/** Reads and writes as a good client, which must not have to wait. */
export async function assertPrompt(server: TestServer): Promise<void> {
  await within(work(server), "a good client's requests", PROMPT_MS);
}

async function work(server: TestServer): Promise<void> {
  await using client = await server.client();
  const data = noise(100_000);
  assert.equal(await client.write(4096, data), 0);
  assertSameBytes(await client.read(4096, data.length), data);
  await client.leave();
}
