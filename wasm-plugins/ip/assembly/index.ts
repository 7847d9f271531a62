// SPDX-License-Identifier: MIT
// Lets clients in by where they come from (README.md beside this folder). It is only asked when one comes:
// requests go past it.

import { alloc, Errno, fail, say, sayByte, sayBytes } from "../../sdk/assemblyscript/assembly";
import {
  atEnd,
  readText,
  restLength,
  restPointer,
  takeByte,
  takeDigits,
  takeWord,
} from "../../lib/text/assembly";
import { takeIpv4, takeIpv6 } from "../../lib/text/assembly/address";

export { sb_alloc, sb_free } from "../../sdk/assemblyscript/assembly";

/** What a rule is about, and what a client is. */
const enum Kind {
  Any = 0,
  Ipv4 = 1,
  Ipv6 = 2,
  Unix = 3,
  Vsock = 4,
  Pid = 5,
  Uid = 6,
  Gid = 7,
}

/** A rule, in a list in the order of the parameters. */
@unmanaged
class Rule {
  next: usize;
  kind: i32;
  /** 1: it denies. */
  denies: i32;
  /** Of an address: so many bits count. */
  bits: i32;
  value: i64;
  /** 16 bytes of address. */
  high: u64;
  low: u64;
}

/** A client. */
@unmanaged
class Client {
  kind: i32;
  pid: i64;
  uid: i64;
  gid: i64;
}

let first: usize = 0;
let status: i32 = 0;
const client = memory.data(32, 8);
const address = memory.data(16, 8);

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  if (status) return;
  const rule = alloc(offsetof<Rule>(), 8);
  if (!rule) {
    status = Errno.ENOMEM;
    return;
  }
  const one = changetype<Rule>(rule);
  memory.fill(rule, 0, offsetof<Rule>());
  readText(pointer, length);
  if (!length || !parseRule(one) || !atEnd()) {
    say("cannot parse \"");
    sayBytes(pointer, min(length, 64));
    sayByte(0x22);
    say(": it is no address such as 192.0.2.0/24 or ::1, nor any, anyipv4, anyunix, pid:, uid: or gid:");
    status = fail(Errno.EINVAL);
    return;
  }
  one.denies = index;
  one.next = first;
  first = rule;
}

function parseRule(rule: Rule): bool {
  if (takeWord("anyipv4") || takeWord("allipv4")) rule.kind = Kind.Ipv4;
  else if (takeWord("anyipv6") || takeWord("allipv6")) rule.kind = Kind.Ipv6;
  else if (takeWord("anyunix") || takeWord("allunix")) rule.kind = Kind.Unix;
  else if (takeWord("anyvsock") || takeWord("allvsock")) rule.kind = Kind.Vsock;
  else if (takeWord("any") || takeWord("all")) rule.kind = Kind.Any;
  else if (takeWord("pid:")) return parseNumber(rule, Kind.Pid);
  else if (takeWord("uid:")) return parseNumber(rule, Kind.Uid);
  else if (takeWord("gid:")) return parseNumber(rule, Kind.Gid);
  else return parseAddress(rule);
  return true;
}

function parseNumber(rule: Rule, kind: i32): bool {
  rule.kind = kind;
  rule.value = takeDigits(10);
  return rule.value >= 0;
}

function parseAddress(rule: Rule): bool {
  const isIpv4 = looksLikeIpv4();
  if (isIpv4 ? !takeIpv4(address) : !takeIpv6(address)) return false;
  rule.kind = isIpv4 ? Kind.Ipv4 : Kind.Ipv6;
  const most = isIpv4 ? 32 : 128;
  let bits: i64 = most;
  if (takeByte(0x2f)) bits = takeDigits(10);
  if (bits < 0 || bits > most) return false;
  rule.bits = <i32>bits + (isIpv4 ? 96 : 0);
  rule.high = bswap<u64>(load<u64>(address));
  rule.low = bswap<u64>(load<u64>(address + 8));
  return true;
}

/** Whether there is a dot before any colon. */
function looksLikeIpv4(): bool {
  for (let i: usize = 0; i < restLength(); i++) {
    const byte = load<u8>(restPointer() + i);
    if (byte == 0x2e) return true;
    if (byte == 0x3a) return false;
  }
  return false;
}

export function sb_ready(): i32 {
  return status;
}

/** Rules about an address have bits; others about the same family have none and fit all. */
function fits(rule: Rule, one: Client): bool {
  if (rule.kind == Kind.Any) return true;
  if (one.kind == Kind.Unix) {
    if (rule.kind == Kind.Pid) return rule.value == one.pid;
    if (rule.kind == Kind.Uid) return rule.value == one.uid;
    if (rule.kind == Kind.Gid) return rule.value == one.gid;
  }
  if (rule.kind != one.kind) return false;
  const bits = rule.bits;
  if (!bits) return true;
  const high = (bswap<u64>(load<u64>(address)) ^ rule.high) >> (bits >= 64 ? 0 : 64 - bits);
  if (high || bits <= 64) return !high;
  return !((bswap<u64>(load<u64>(address + 8)) ^ rule.low) >> (128 - bits));
}

/** Understands the text about a client; what it does not know fits `any` only. */
function parsePeer(one: Client, pointer: usize, length: usize): void {
  memory.fill(client, 0, 32);
  readText(pointer, length);
  if (takeWord("tcp:")) {
    if (takeByte(0x5b)) {
      if (takeIpv6(address)) one.kind = isMapped() ? Kind.Ipv4 : Kind.Ipv6;
    } else if (takeIpv4(address)) one.kind = Kind.Ipv4;
  } else if (takeWord("unix:")) {
    one.kind = Kind.Unix;
    one.pid = takeWord("pid=") ? takeDigits(10) : -1;
    one.uid = takeWord(",uid=") ? takeDigits(10) : -1;
    one.gid = takeWord(",gid=") ? takeDigits(10) : -1;
  } else if (takeWord("vsock:")) one.kind = Kind.Vsock;
}

/** Whether the address is an IPv4 one in the form of IPv6. */
function isMapped(): bool {
  return !load<u64>(address) && load<u32>(address + 8) == 0xffff0000;
}

/** Whether a rule of a list fits. */
function anyFits(denies: i32, one: Client): bool {
  for (let rule = first; rule; rule = changetype<Rule>(rule).next) {
    if (changetype<Rule>(rule).denies == denies && fits(changetype<Rule>(rule), one)) return true;
  }
  return false;
}

export function sb_connect(peer: usize, length: usize): i32 {
  const one = changetype<Client>(client);
  parsePeer(one, peer, length);
  if (anyFits(0, one) || !anyFits(1, one)) return 0;
  say("the filter ip does not let in ");
  sayBytes(peer, length);
  return fail(Errno.EACCES);
}
