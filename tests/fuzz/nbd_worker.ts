// SPDX-License-Identifier: MIT
// A thread of the fuzzer: runs its share of the streams and tells how far it is.

import { StreamRunner } from "./run_stream.ts";

/** What a thread is to do. */
export interface Share {
  seed: number;
  first: number;
  /** One more than the last stream. */
  end: number;
  step: number;
  /** Two words that hold the number of the stream that runs, low and high. */
  current: Int32Array;
}

/** What a thread found. */
export interface Findings {
  streams: number;
  requests: number;
  transmissions: number;
  inputBytes: number;
  outputBytes: number;
  failure: { index: number; message: string; stream: string } | null;
}

const HIGH = 4294967296;

/** Runs a share to its end or to the first failure. */
export function runShare({ seed, first, end, step, current }: Share): Findings {
  const runner = new StreamRunner();
  const findings: Findings = {
    streams: 0,
    requests: 0,
    transmissions: 0,
    inputBytes: 0,
    outputBytes: 0,
    failure: null,
  };
  for (let index = first; index < end; index += step) {
    current[0] = index;
    current[1] = index / HIGH;
    try {
      const outcome = runner.run(seed, index);
      findings.streams++;
      findings.requests += outcome.requests;
      findings.transmissions += outcome.transmission ? 1 : 0;
      findings.inputBytes += outcome.inputBytes;
      findings.outputBytes += outcome.outputBytes;
    } catch (error) {
      const message = error instanceof Error ? error.stack ?? error.message : String(error);
      findings.failure = { index, message, stream: runner.bytes.toHex() };
      return findings;
    }
  }
  return findings;
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  self.onmessage = (event: MessageEvent<Share>) => self.postMessage(runShare(event.data));
}
