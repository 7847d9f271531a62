// SPDX-License-Identifier: MIT
// A handshake that goes on at another place once it has named an export which is served there.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { encodeClientFlags, encodeInfoData, encodeOption } from "./client.ts";
import { Elsewhere, type ExportDirectory } from "./directory.ts";
import { Negotiation } from "./negotiation.ts";
import { exportInfo, ModelDirectory } from "./testing/model_export.ts";
import { ClientFlag, Option, Replies, Reply } from "./wire.ts";

const FLAGS = ClientFlag.FixedNewstyle | ClientFlag.NoZeroes;

class HereAndThere extends ModelDirectory {
  override open(name: string) {
    if (name === "there") throw new Elsewhere(3);
    return super.open(name);
  }
}

function negotiation(directory: ExportDirectory, progress = {}, optionsMax = 5): Negotiation {
  return new Negotiation({ directory, limits: { optionsMax }, peer: "test", ...progress });
}

/** Type of each reply in `output`. */
function replies(output: Uint8Array): number[] {
  const view = new DataView(output.buffer, output.byteOffset, output.byteLength);
  const types: number[] = [];
  for (let at = 0; at < output.length; at += 20 + view.getUint32(at + 16)) {
    types.push(view.getUint32(at + 12));
  }
  return types;
}

const here = { ...exportInfo(4096), name: "here" };
const there = { ...exportInfo(8192), name: "there" };
const go = encodeOption(Option.Go, encodeInfoData("there", []));

Deno.test("a handshake moves where its export is, with what was agreed on and the option", () => {
  const first = negotiation(new HereAndThere([here]));
  const structured = encodeOption(Option.StructuredReply);
  const list = encodeOption(Option.List);
  const rest = Uint8Array.of(1, 2, 3);
  const bytes = Buffer.concat([encodeClientFlags(FLAGS), structured, list, go, rest]);
  const taken = first.receive(bytes);
  assert.equal(first.state, "moved");
  assert.equal(bytes.length - taken, rest.length, "what follows is left alone");
  assert.deepEqual(replies(first.takeOutput()), [Reply.Ack, Reply.Server, Reply.Ack]);
  const { place, progress, bytes: moved } = first.move!;
  assert.equal(place, 3);
  assert.deepEqual([...moved], [...go]);

  const second = negotiation(new ModelDirectory([there]), { progress: structuredClone(progress) });
  assert.equal(second.receive(Buffer.concat([moved, rest])), moved.length);
  assert.equal(second.state, "transmission");
  assert.equal(second.session!.exportName, "there");
  assert.equal(second.session!.replies, Replies.Structured);
  assert.deepEqual(replies(second.takeOutput()), [Reply.Info, Reply.Ack]);
});

Deno.test("metadata contexts are asked for where the export is", () => {
  const first = negotiation(new HereAndThere([here]));
  const query = Buffer.concat([
    Uint8Array.of(0, 0, 0, 5),
    new TextEncoder().encode("there"),
    Uint8Array.of(0, 0, 0, 0),
  ]);
  const set = encodeOption(Option.SetMetaContext, query);
  first.receive(
    Buffer.concat([encodeClientFlags(FLAGS), encodeOption(Option.StructuredReply), set]),
  );
  assert.equal(first.state, "moved");
  assert.deepEqual([...first.move!.bytes], [...set]);
});

Deno.test("moving to and fro counts options as staying does", () => {
  let place = negotiation(new HereAndThere([here]), {}, 3);
  place.receive(encodeClientFlags(FLAGS));
  const info = encodeOption(Option.Info, encodeInfoData("there", []));
  let bytes: Uint8Array = info;
  for (let count = 1; count <= 3; count++) {
    place.receive(bytes);
    const { progress, bytes: moved } = place.move!;
    assert.equal(progress.optionCount, count - 1);
    place = negotiation(new ModelDirectory([there]), { progress }, 3);
    place.receive(moved);
    assert.equal(place.state, "negotiating");
    // What it would be if it came back.
    place = negotiation(new HereAndThere([here]), {
      progress: { ...progress, optionCount: count },
    }, 3);
    bytes = info;
  }
  place.receive(info);
  assert.equal(place.state, "closed");
  assert.match(place.closeReason, /more than 3 options/);
});
