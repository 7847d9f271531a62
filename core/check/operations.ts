// SPDX-License-Identifier: MIT
// Random things to do to a device, one at a time or many at once, and what it must hold after them.

import { Errno } from "../block/errno.ts";
import { Command, RequestFlag } from "../block/request.ts";
import type { Area } from "./area.ts";
import type { Contents } from "./contents.ts";
import { randomCut } from "./cuts.ts";
import { errorWords, Fault, inWords } from "./kit.ts";
import type { Operation, Outcome } from "./operation.ts";
import type { Pending } from "./session.ts";

/** An operation on a range of an area. */
export interface Step {
  contents: Contents;
  area: Area;
  at: number;
  length: number;
  operation: Operation;
}

/** How the outcomes of operations are judged. */
export interface Judgement {
  /** Whether requests may fail. */
  mayFail: boolean;
}

/** A random step through one of `handles`, in a range that does not touch those of `others`. */
export function randomStep(
  handles: readonly Contents[],
  others: readonly Step[] = [],
): Step | null {
  const { random } = handles[0]!.kit;
  const contents = random.pick(handles);
  const area = random.pick(contents.areas);
  const [at, length] = randomCut(random, area.length, contents.block, contents.most);
  const taken = others.some((one) => {
    return one.area === area && at < one.at + one.length && one.at < at + length;
  });
  if (taken) return null;
  return { contents, area, at, length, operation: randomOperation(contents, area, at, length) };
}

function randomOperation(contents: Contents, area: Area, at: number, length: number): Operation {
  const { random } = contents.kit;
  const commands: number[] = [Command.Read, Command.Read];
  if (contents.can("write")) {
    commands.push(Command.Write, Command.Write, Command.Write);
    if (contents.can("zero")) commands.push(Command.WriteZeroes);
    if (contents.can("trim")) commands.push(Command.Trim);
  }
  if (contents.can("extents")) commands.push(Command.BlockStatus);
  if (contents.can("cache")) commands.push(Command.Cache);
  if (contents.can("flush")) commands.push(Command.Flush);
  const command = random.pick(commands);
  const changes = command === Command.Write || command === Command.WriteZeroes ||
    command === Command.Trim;
  let flags = changes && random.oneIn(4) ? contents.fua : 0;
  if (command === Command.WriteZeroes) {
    if (random.oneIn(2)) flags |= RequestFlag.NoHole;
    if (contents.can("fastZero") && random.oneIn(3)) flags |= RequestFlag.FastZero;
  }
  if (command === Command.BlockStatus && random.oneIn(2)) flags |= RequestFlag.ReqOne;
  const operation = contents.operation(area, at, length, command, flags);
  if (command !== Command.Write) return operation;
  return { ...operation, bytes: contents.newBytes(area, at, length) };
}

/** Does `count` random steps, one after the other. */
export async function doSteps(
  handles: readonly Contents[],
  count: number,
  judgement: Judgement,
): Promise<void> {
  for (let index = 0; index < count; index++) {
    const step = randomStep(handles)!;
    const { contents, operation } = step;
    const outcome = await contents.kit.may(contents.session, contents.to, operation);
    judge(step, outcome, judgement, `random operation ${index + 1}`);
  }
}

/** Does `count` random steps, up to `depth` of them at the same time. */
export async function overlapSteps(
  handles: readonly Contents[],
  count: number,
  depth: number,
  judgement: Judgement,
): Promise<void> {
  const { kit, session } = handles[0]!;
  for (let done = 0; done < count; done += depth) {
    const steps: Step[] = [];
    const pending: Pending[] = [];
    for (let tries = 0; tries < depth; tries++) {
      const step = randomStep(handles, steps);
      if (step === null) continue;
      steps.push(step);
      pending.push(session.begin(step.contents.to, step.operation));
    }
    await session.settle();
    for (const one of pending) one.release();
    kit.listen(session, `${steps.length} requests at the same time`);
    steps.forEach((step, index) => {
      judge(step, pending[index]!.outcome!, judgement, `${steps.length} requests at the same time`);
    });
  }
}

/** Compares an outcome with what must be, and takes it into account. */
function judge(step: Step, outcome: Outcome, { mayFail }: Judgement, context: string): void {
  const { area, at, length, operation } = step;
  const { command, flags = 0 } = operation;
  const changes = command === Command.Write || command === Command.WriteZeroes ||
    command === Command.Trim;
  if (outcome.errno !== 0) {
    const notFast = outcome.errno === Errno.EOPNOTSUPP && (flags & RequestFlag.FastZero) !== 0;
    if (!notFast && !mayFail) {
      throw new Fault(`${context}: ${inWords(operation)} fails: ${errorWords(outcome)}`);
    }
    // It may have been done in part.
    if (changes && !notFast) area.forget(at, length);
    return;
  }
  if (command === Command.Read) return judgeRead(step, outcome, mayFail, context);
  step.contents.applied(operation, area, at);
  if (command === Command.BlockStatus) judgeExtents(step, outcome, context);
}

function judgeRead(
  { area, at, operation }: Step,
  { bytes, failed }: Outcome,
  mayFail: boolean,
  context: string,
): void {
  if (failed.length > 0 && !mayFail) {
    throw new Fault(`${context}: part of a ${inWords(operation)} fails`);
  }
  // What could not be read is not looked at.
  for (const part of failed) {
    bytes.set(area.bytes.subarray(at + part.at, at + part.at + part.length), part.at);
  }
  const difference = area.difference(at, bytes);
  if (difference !== "") throw new Fault(`${context}: ${inWords(operation)}: ${difference}`);
}

function judgeExtents({ area, at, length, operation }: Step, outcome: Outcome, context: string) {
  let from = at;
  for (const extent of outcome.extents) {
    const to = Math.min(at + length, from + Number(extent.length));
    for (let index = from; index < to && (extent.flags & 2) !== 0; index++) {
      if (area.bytes[index] === 0 || !area.isKnown(index)) continue;
      const where = area.base + BigInt(index);
      throw new Fault(`${context}: ${inWords(operation)}: zeroes at ${where}, but there is data`);
    }
    from = to;
  }
}
