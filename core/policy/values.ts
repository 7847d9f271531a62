// SPDX-License-Identifier: MIT
// Turns the elements of sets into values of one type. Whatever does not fit is a StatementError at
// its place.

import { ParameterError } from "../plugin/errors.ts";
import { parseInteger, parseSize } from "../plugin/quantities.ts";
import { didYouMean } from "../plugin/suggest.ts";
import { quoted } from "../plugin/text.ts";
import { type AddressBlock, hasHostBits, parseBlock } from "./address.ts";
import { StatementError } from "./diagnostic.ts";
import { BYTES_MAX, DAY_SECONDS, ID_MAX, type Interval } from "./program.ts";
import type { ItemNode } from "./syntax.ts";
import type { Token } from "./tokens.ts";
import { COMMANDS, FLAGS, TRANSPORTS, TYPE_NAMES, type ValueType, WEEKDAYS } from "./vocabulary.ts";

/** An element of a set that is no name. */
export type LiteralNode = Exclude<ItemNode, { kind: "name" }>;

const TIME = /^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?$/;

/** The types that a literal can have, judged by its first value; empty where it is none. */
export function typesOf(item: LiteralNode): ValueType[] {
  const token = item.kind === "value" ? item.value : item.low ?? item.high!;
  const { text } = token;
  if (token.kind === "string") return ["string"];
  if (COMMANDS.has(text)) return ["command"];
  if (FLAGS.has(text)) return ["flag"];
  if (TRANSPORTS.has(text)) return ["transport"];
  if (WEEKDAYS.has(text)) return ["weekday"];
  if (TIME.test(text)) return ["time"];
  if (text.includes(":") || parseBlock(text)) return ["address"];
  return /^[0-9]/.test(text) ? ["bytes", "id"] : [];
}

/** The numbers that `item` stands for. */
export function numbers(item: LiteralNode, type: "bytes" | "id"): Interval {
  const parse = type === "bytes" ? bytes : id;
  const largest = type === "bytes" ? BYTES_MAX : ID_MAX;
  if (item.kind === "value") {
    const value = parse(item.value);
    return { low: value, high: value };
  }
  const low = item.low === null ? 0n : parse(item.low);
  if (item.high === null) return { low, high: largest };
  const end = parse(item.high);
  const high = item.how === "to" ? end : (item.how === ".." ? end : low + end) - 1n;
  if (high > largest) fail(item.at, `the range goes past ${largest}`);
  if (high >= low) return { low, high };
  fail(item.at, item.how === "to" ? "the range ends before it begins" : "the range is empty");
}

/** The seconds of the day that `item` stands for: one interval, or two around midnight. */
export function times(item: LiteralNode): { low: number; high: number }[] {
  if (item.kind === "value") {
    fail(item.value, `${quoted(item.value.text)} is a moment; write a range such as 22:00..06:00`);
  }
  if (item.how !== "..") fail(item.at, 'a range of times is written with ".."');
  const low = item.low === null ? 0 : time(item.low);
  const end = item.high === null ? DAY_SECONDS : time(item.high);
  if (low === end || low === DAY_SECONDS) fail(item.at, "the range is empty");
  if (low < end) return [{ low, high: end - 1 }];
  const evening = { low, high: DAY_SECONDS - 1 };
  return end === 0 ? [evening] : [evening, { low: 0, high: end - 1 }];
}

/** Seconds since midnight, up to 24:00. */
export function time(token: Token): number {
  const [, hours, minutes, seconds = "0"] = TIME.exec(token.text) ?? wrong(token, "time");
  const [h, m, s] = [Number(hours), Number(minutes), Number(seconds)];
  const total = h * 3600 + m * 60 + s;
  if (m < 60 && s < 60 && total <= DAY_SECONDS) return total;
  fail(token, `there is no time ${quoted(token.text)}`);
}

/** The weekdays that `item` stands for, as bits; `to` may go past Sunday. */
export function weekdays(item: LiteralNode): number {
  if (item.kind === "value") return 1 << word(item.value, "weekday", WEEKDAYS);
  if (item.how !== "to") fail(item.at, 'a range of weekdays is written with "to": mon to fri');
  const last = word(item.high!, "weekday", WEEKDAYS);
  let mask = 1 << last;
  for (let day = word(item.low!, "weekday", WEEKDAYS); day !== last; day = (day + 1) % 7) {
    mask |= 1 << day;
  }
  return mask;
}

/** The bit of a command, or the bits of a flag or transport. */
export function bits(item: LiteralNode, type: "command" | "flag" | "transport"): number {
  const token = single(item, type);
  if (type === "command") return 1 << word(token, type, COMMANDS);
  return word(token, type, type === "flag" ? FLAGS : TRANSPORTS);
}

/** A string. */
export function string(item: LiteralNode): string {
  const token = single(item, "string");
  return token.kind === "string" ? token.text : wrong(token, "string");
}

/** A block of addresses. */
export function address(item: LiteralNode): AddressBlock {
  const token = single(item, "address");
  const block = token.kind === "word" ? parseBlock(token.text) : null;
  if (!block) wrong(token, "address");
  if (!hasHostBits(block)) return block;
  fail(token, `${quoted(token.text)} has bits behind its prefix; they must be 0`);
}

function single(item: LiteralNode, type: ValueType): Token {
  if (item.kind === "value") return item.value;
  fail(item.at, `a range is written where ${TYPE_NAMES[type]} is expected`);
}

function bytes(token: Token): bigint {
  if (token.kind !== "word") wrong(token, "bytes");
  return quantity(token, (text) => text.startsWith("0x") ? parseInteger(text) : parseSize(text));
}

function id(token: Token): bigint {
  if (token.kind !== "word" || !/^[0-9]+$/.test(token.text)) wrong(token, "id");
  const value = quantity(token, parseInteger);
  if (value <= ID_MAX) return value;
  fail(token, `${token.text} is too large; the largest is ${ID_MAX}`);
}

function quantity(token: Token, parse: (text: string) => bigint): bigint {
  try {
    return parse(token.text);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    if (!/^[0-9]/.test(token.text)) wrong(token, "bytes");
    fail(token, `cannot use ${quoted(token.text)}: ${error.message}`);
  }
}

function word(token: Token, type: ValueType, table: ReadonlyMap<string, number>): number {
  const value = token.kind === "word" ? table.get(token.text) : undefined;
  return value ?? wrong(token, type, table.keys());
}

function wrong(token: Token, type: ValueType, candidates: Iterable<string> = []): never {
  const meant = token.kind === "word" ? didYouMean(token.text, candidates) : "";
  fail(token, `${quoted(token.text)} is not ${TYPE_NAMES[type]}${meant}`);
}

function fail({ line, column }: Token, message: string): never {
  throw new StatementError({ line, column }, message);
}
