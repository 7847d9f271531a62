// SPDX-License-Identifier: MIT
// Logs every request and its end (README.md beside this folder), and passes it on as it is.

import {
  alloc,
  begin,
  CallFlag,
  closeHandle,
  complete,
  contextOf,
  end,
  Errno,
  free,
  infoOf,
  monotonic,
  nextForward,
  nextSize,
  openHandle,
  peer,
  PENDING,
  say,
  sayErrno,
  sayByte,
  sayBytes,
  sayHex,
  sayNumber,
  sayPadded,
  Task,
  taskOf,
  token,
} from "../../sdk/assemblyscript/assembly";
import { closeSink, endLine, openSink, setPath } from "./sink";
import { sayNow } from "./time";

export { sb_alloc, sb_done, sb_free } from "../../sdk/assemblyscript/assembly";

/** Kinds of requests; their names are in `sayKind`. */
const enum Kind {
  Read = 0,
  Write = 1,
  Trim = 2,
  Zero = 3,
  Cache = 4,
  Extents = 5,
  Flush = 6,
  SecureErase = 7,
  Ioctl = 8,
}

/** A connection. */
@unmanaged
class Connection {
  id: u64;
  transactions: u64;
}

/** A request on its way. */
@unmanaged
class Transaction extends Task {
  request: i32;
  kind: i32;
  connection: u64;
  id: u64;
  start: i64;
}

const TEXT_BYTES: usize = 256;
const text = memory.data(256);
let connections: u64 = 0;
let appends: bool = false;

export function sb_param_int(index: i32, value: i64): void {
  appends = value == 1;
}

export function sb_param_bytes(index: i32, pointer: usize, length: usize): void {
  setPath(pointer, length);
}

export function sb_ready(): i32 {
  return openSink(appends);
}

export function sb_stop(): void {
  closeSink();
}

function connectionOf(handle: i32): Connection {
  return changetype<Connection>(<usize>contextOf(handle));
}

function begins(connection: u64): void {
  sayNow();
  say("connection=");
  sayNumber(connection);
  sayByte(0x20);
}

/** A text in quotation marks, as much of it as there is room for. */
function sayQuoted(pointer: usize, length: usize): void {
  sayByte(0x22);
  sayBytes(pointer, min(length, TEXT_BYTES));
  sayByte(0x22);
}

export function sb_open(name: usize, nameLength: usize, flags: i32): i32 {
  const pointer = alloc(offsetof<Connection>(), 8);
  const handle = pointer ? openHandle(<u32>pointer) : -1;
  if (handle < 0) return -Errno.ENOMEM;
  const connection = changetype<Connection>(pointer);
  connection.id = ++connections;
  connection.transactions = 0;
  begins(connection.id);
  say("Open export=");
  sayQuoted(name, nameLength);
  say(" readonly=");
  sayNumber(flags & 1);
  say(" peer=");
  sayQuoted(text, min(peer(text, TEXT_BYTES), TEXT_BYTES));
  endLine();
  return handle;
}

function sayFact(name: string, value: u64): void {
  say(name);
  sayNumber(value);
}

/** What clients get to know, which is known by now. */
export function sb_size(handle: i32): i64 {
  const size = nextSize(handle, 0);
  const info = infoOf(handle, 0);
  begins(connectionOf(handle).id);
  say("Connect size=");
  sayHex(size);
  say(" minsize=");
  sayHex(info.blockMinimum);
  say(" prefsize=");
  sayHex(info.blockPreferred);
  say(" maxsize=");
  sayHex(info.blockMaximum);
  sayFact(" write=", info.write);
  sayFact(" flush=", info.flush);
  sayFact(" rotational=", info.rotational);
  sayFact(" trim=", info.trim);
  sayFact(" zero=", info.zero);
  sayFact(" fua=", info.fua);
  sayFact(" extents=", info.extents);
  sayFact(" cache=", info.cache);
  sayFact(" fast_zero=", info.fastZero);
  sayFact(" multi_conn=", info.multiConn);
  sayFact(" secure_erase=", info.secureErase);
  sayFact(" ioctl=", info.ioctl);
  endLine();
  return size;
}

export function sb_close(handle: i32): void {
  const connection = connectionOf(handle);
  begins(connection.id);
  say("Disconnect transactions=");
  sayNumber(connection.transactions);
  endLine();
  free(changetype<usize>(connection), offsetof<Connection>());
  closeHandle(handle);
}

function sayKind(kind: i32): void {
  switch (kind) {
    case Kind.Read:
      return say("Read");
    case Kind.Write:
      return say("Write");
    case Kind.Trim:
      return say("Trim");
    case Kind.Zero:
      return say("Zero");
    case Kind.Cache:
      return say("Cache");
    case Kind.Extents:
      return say("Extents");
    case Kind.SecureErase:
      return say("SecureErase");
    case Kind.Ioctl:
      return say("Ioctl");
    default:
      say("Flush");
  }
}

function sayFlags(flags: i32): void {
  if (flags & CallFlag.Fua) say(" fua=1");
  if (flags & CallFlag.MayTrim) say(" may_trim=1");
  if (flags & CallFlag.FastZero) say(" fast=1");
  if (flags & CallFlag.ReqOne) say(" req_one=1");
}

function run(
  kind: i32,
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
  number: u32 = 0,
): i32 {
  const connection = connectionOf(handle);
  const one = begin<Transaction>(ended);
  if (!one) return Errno.ENOMEM;
  one.request = request;
  one.kind = kind;
  one.connection = connection.id;
  one.id = ++connection.transactions;
  begins(connection.id);
  sayKind(kind);
  sayFact(" id=", one.id);
  if (kind == Kind.Ioctl) {
    say(" number=");
    sayHex(number);
  } else if (kind != Kind.Flush) {
    say(" offset=");
    sayHex(offset);
    say(" count=");
    sayHex(count);
  }
  sayFlags(flags);
  say(" ...");
  endLine();
  one.start = monotonic();
  const status = nextForward(request, 0, 0, count, offset, flags, token(one));
  return status == PENDING ? PENDING : finish(one, status);
}

function ended(token: i32, result: i32): void {
  const one = taskOf<Transaction>(token);
  const request = one.request;
  complete(request, result);
  finish(one, result);
}

function finish(one: Transaction, errno: i32): i32 {
  const us = <u64>(monotonic() - one.start) / 1000;
  begins(one.connection);
  say("...");
  sayKind(one.kind);
  sayFact(" id=", one.id);
  say(errno ? " return=-1 error=" : " return=0");
  if (errno) sayErrno(errno);
  say(" time=");
  sayNumber(us / 1000000);
  sayByte(0x2e);
  sayPadded(us % 1000000, 6);
  endLine();
  end(one);
  return errno;
}

export function sb_pread(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(Kind.Read, handle, request, count, offset, flags);
}

export function sb_pwrite(
  handle: i32,
  request: i32,
  data: usize,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return run(Kind.Write, handle, request, count, offset, flags);
}

export function sb_trim(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(Kind.Trim, handle, request, count, offset, flags);
}

export function sb_zero(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(Kind.Zero, handle, request, count, offset, flags);
}

export function sb_cache(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(Kind.Cache, handle, request, count, offset, flags);
}

export function sb_extents(handle: i32, request: i32, count: u64, offset: u64, flags: i32): i32 {
  return run(Kind.Extents, handle, request, count, offset, flags);
}

export function sb_secure_erase(
  handle: i32,
  request: i32,
  count: u64,
  offset: u64,
  flags: i32,
): i32 {
  return run(Kind.SecureErase, handle, request, count, offset, flags);
}

export function sb_ioctl(
  handle: i32,
  request: i32,
  number: i32,
  argument: usize,
  length: usize,
): i32 {
  return run(Kind.Ioctl, handle, request, 0, 0, 0, <u32>number);
}

export function sb_flush(handle: i32, request: i32, flags: i32): i32 {
  return run(Kind.Flush, handle, request, 0, 0, flags);
}
