// SPDX-License-Identifier: MIT
// One stream of a fuzzed client: made, damaged, fed to a server in pieces, judged.

import { ByteQueue } from "../../core/nbd/client.ts";
import { Loopback } from "../../core/nbd/testing/loopback.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { FuzzedDirectory, type FuzzedExport } from "./exports.ts";
import { judgeHandshake, OPTIONS_MAX } from "./judge_handshake.ts";
import { TransmissionJudge } from "./judge_transmission.ts";
import { makeStream } from "./make_stream.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";

/** Longest stream in bytes. */
const STREAM_MAX = 32 * 1024;

/** What became of a stream. */
export interface StreamOutcome {
  requests: number;
  inputBytes: number;
  outputBytes: number;
  transmission: boolean;
}

/** Makes and runs streams, reusing what it can. */
export class StreamRunner {
  /** Changes what the server says before it is judged; for tests of the judges. */
  tamper: ((output: Uint8Array) => Uint8Array) | null = null;
  readonly #stream = new ByteBuffer(STREAM_MAX);
  readonly #other = new ByteBuffer(STREAM_MAX);
  readonly #piece = new Uint8Array(STREAM_MAX);
  readonly #directory = new FuzzedDirectory();

  /** The bytes of the stream that ran last. */
  get bytes(): Uint8Array {
    return this.#stream.bytes.subarray(0, this.#stream.length);
  }

  /** Makes stream number `index` of `seed`. */
  make(seed: number, index: number): Random {
    const random = new Random(seed, index);
    this.#stream.length = 0;
    this.#other.length = 0;
    makeStream(random, this.#stream);
    // One stream in eight is left as it is: that must work too.
    if (random.once(8)) return random;
    makeStream(random, this.#other);
    mutate(this.#stream, this.#other, random);
    return random;
  }

  /** Makes, runs and judges a stream. Throws what went wrong. */
  run(seed: number, index: number): StreamOutcome {
    const random = this.make(seed, index);
    const server = new Loopback(this.#directory, OPTIONS_MAX);
    try {
      return this.#run(server, random);
    } finally {
      const { session } = server.negotiation;
      if (session === null) server.negotiation.abandon();
      else session.export.close();
      this.#directory.assertClosed();
    }
  }

  #run(server: Loopback, random: Random): StreamOutcome {
    let output = new ByteQueue();
    const lies = random.once(8);
    this.#feed(server, random, lies, output);
    if (this.tamper !== null) {
      const tampered = new ByteQueue();
      tampered.push(this.tamper(output.take(output.length)));
      output = tampered;
    }
    const { state, session } = server.negotiation;
    const outputBytes = output.length;
    const agreed = judgeHandshake(this.bytes, output, { state });
    const outcome = { requests: 0, inputBytes: this.bytes.length, outputBytes };
    if (agreed === null || session === null) return { ...outcome, transmission: false };
    const { info } = session.export;
    if (info.name !== agreed.exportName) throw new Error(`the export is "${info.name}"`);
    const conditions = { ...agreed, info, lies, closed: server.closed };
    const judge = new TransmissionJudge(this.bytes, agreed.at, output, conditions);
    return { ...outcome, requests: judge.judge(), transmission: true };
  }

  /** Feeds the stream in pieces that are overwritten afterwards, so that keeping them shows. */
  #feed(server: Loopback, random: Random, lies: boolean, output: ByteQueue): void {
    const { bytes } = this;
    const longest = random.pick([bytes.length < 200 ? 1 : 100, 700, STREAM_MAX, STREAM_MAX]);
    let lying = false;
    for (let at = 0; at < bytes.length && !server.closed;) {
      const length = Math.min(1 + random.below(longest), bytes.length - at);
      const piece = this.#piece.subarray(0, longest === STREAM_MAX ? bytes.length - at : length);
      piece.set(bytes.subarray(at, at + piece.length));
      server.receive(piece);
      at += piece.length;
      if (lies && !lying && server.negotiation.session !== null) {
        (server.export as FuzzedExport).lie(random);
        lying = true;
      }
      if (random.once(2)) output.push(server.takeOutput());
    }
    output.push(server.takeOutput());
  }
}
