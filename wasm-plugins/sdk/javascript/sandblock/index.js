// SPDX-License-Identifier: MIT
// Makes block devices for sandblock in JavaScript: definePlugin and defineFilter turn classes into
// what the world `plugin` exports. Offsets and lengths are numbers; beyond 2^53 there is nothing.

import * as host from "sandblock:plugin/host@3.2.0";
import { Errno, failing, Failure, failureOf, guarded } from "./errors.js";
import { begin, ended, onTimer } from "./waiting.js";
import { reportZones, zonesRecord } from "./zones.js";

export { Errno, Failure };
export { File, openFile } from "./files.js";
export { connect, Connection } from "./network.js";

/** Writes a line to the host's log: "error", "warning", "info" or "debug". */
export function log(level, text) {
  host.log(level, String(text));
}

/** Sets a counter or gauge, or adds an observation to a histogram, by its position in the manifest. */
export function metric(index, value) {
  host.metric(index, BigInt(value));
}

/** In `info`: block sizes that clients are told, while they are held to those that `info` returns. */
export function adviseBlocks(minimum, preferred, maximum) {
  host.blockAdvice(minimum, preferred, maximum);
}

/** Whether the host has a feature, or the user has granted a capability. */
export function hasFeature(name) {
  return host.feature(name);
}

/** Resolves when the time has passed; for filters and plugins that are `concurrent`. */
export function sleep(milliseconds) {
  return begin((token) => {
    host.timer(nanoseconds(milliseconds), token);
    return undefined;
  });
}

/** Calls `run` when the time has passed. Returns a function that takes it back: false if it is too late. */
export function after(milliseconds, run) {
  return onTimer((token) => host.timer(nanoseconds(milliseconds), token), run, host.cancel);
}

function nanoseconds(milliseconds) {
  return BigInt(Math.round(milliseconds * 1e6));
}

/** A read that waits for its answer: pieces in ascending order without gaps. */
export class Reply {
  #request;
  #next = 0n;

  constructor(request, offset, length) {
    this.#request = request;
    /** What is read. */
    this.offset = offset;
    this.length = length;
  }

  /** Answers the next bytes with `bytes`. */
  data(bytes) {
    if (bytes.length === 0) return;
    this.#request.data(this.#next, bytes);
    this.#next += BigInt(bytes.length);
  }

  /** Answers the next `length` bytes with zeroes. `hole`: they take no space. */
  zero(length, hole = false) {
    if (length === 0) return;
    this.#request.zero(this.#next, BigInt(length), hole);
    this.#next += BigInt(length);
  }

  /** Says that the next `length` bytes cannot be read. */
  fail(length, errno) {
    this.#request.fail(this.#next, BigInt(length), errno);
    this.#next += BigInt(length);
  }

  /**
   * Filters: resolves when the next `length` bytes were answered by `next`, from `offset` on there, without
   * being copied. After an error none of them is answered: another child can be asked.
   */
  async from(next, offset, length) {
    const size = BigInt(length);
    await begin((token) =>
      this.#request.forward(next.index, this.#next, size, BigInt(offset), { whole: true }, token)
    );
    this.#next += size;
  }

  /** Forgets all answers so far. */
  restart() {
    this.#request.restart();
    this.#next = 0n;
  }
}

/** A write that a filter passes on. */
export class Write {
  #request;

  constructor(request, offset) {
    this.#request = request;
    /** What is written. */
    this.offset = offset;
    this.length = Number(request.length());
  }

  /** `length` bytes of the data, from `at` on. */
  payload(at, length) {
    return guarded(() => this.#request.payload(BigInt(at), BigInt(length)));
  }
}

/** What is below a filter. All but size and info are promises. */
export class Next {
  #context;
  #child;

  constructor(context, child = 0) {
    this.#context = context;
    this.#child = child;
  }

  /** Which of the children it is. */
  get index() {
    return this.#child;
  }

  /** How many children there are. */
  get count() {
    return this.#context.children();
  }

  /** Another one of the children, from 0. */
  child(index) {
    return new Next(this.#context, index);
  }

  size() {
    return Number(guarded(() => this.#context.childSize(this.#child)));
  }

  info() {
    return guarded(() => this.#context.childInfo(this.#child));
  }

  read(offset, length) {
    return begin((token) =>
      this.#context.pread(this.#child, BigInt(length), BigInt(offset), token)
    );
  }

  write(offset, data, flags = {}) {
    return begin((token) => this.#context.pwrite(this.#child, data, BigInt(offset), flags, token));
  }

  flush() {
    return begin((token) => this.#context.flush(this.#child, token));
  }

  trim(offset, length, flags = {}) {
    return this.#range("trim", offset, length, flags);
  }

  zero(offset, length, flags = {}) {
    return this.#range("zero", offset, length, flags);
  }

  cache(offset, length) {
    return begin((token) =>
      this.#context.cache(this.#child, BigInt(length), BigInt(offset), token)
    );
  }

  secureErase(offset, length) {
    return begin((token) =>
      this.#context.secureErase(this.#child, BigInt(length), BigInt(offset), token)
    );
  }

  /** Resolves to what the argument, which has as many bytes as `number` says, has become. */
  ioctl(number, argument = new Uint8Array()) {
    return begin((token) => this.#context.ioctl(this.#child, number | 0, argument, token));
  }

  async extents(offset, length, flags = {}) {
    const list = await begin((token) =>
      this.#context.extents(this.#child, BigInt(length), BigInt(offset), flags, 1024, token)
    );
    return list.map(({ length, hole, zero }) => ({ length: Number(length), hole, zero }));
  }

  /** Opens it again on all children, and closes what was open. Where that fails all stays as it was. */
  reopen(readOnly = false) {
    guarded(() => this.#context.reopen(readOnly));
  }

  /** Closes what `openNext` has opened. */
  close() {
    this.#context[Symbol.dispose]();
  }

  #range(name, offset, length, flags) {
    return begin((token) =>
      this.#context[name](this.#child, BigInt(length), BigInt(offset), flags, token)
    );
  }
}

/** Filters: opens an export of what is below for work that belongs to no client; a Next. */
export function openNext(name, readOnly = false) {
  return new Next(guarded(() => host.openNext(name, readOnly)));
}

/** Filters: the exports of a child, as a list of { name, description }. */
export function exportsBelow(child = 0) {
  return guarded(() => host.listNext(child));
}

/** Filters: the default export of a child; undefined where there is none. */
export function defaultBelow(child = 0) {
  return guarded(() => host.defaultNext(child));
}

/** What an open export has to do with the host. */
export class Opened {
  #context;

  constructor(context) {
    this.#context = context;
  }

  /** Who it is opened for, while it is being opened: "unix:pid=12,uid=0,gid=0". */
  get peer() {
    return this.#context.peer();
  }

  /** Gives it another size, for clients that open it from now on. */
  resize(size) {
    guarded(() => this.#context.resize(BigInt(size)));
  }
}

/** Methods of a disk that `implemented` calls what they are called. */
const METHODS = [
  ...["flush", "trim", "zero", "cache", "extents", "size", "description"],
  ...["secureErase", "ioctl"],
  ...["zones", "zoneReport", "zoneAppend", "zoneOpen", "zoneClose", "zoneFinish", "zoneReset"],
];

function implementedBy({ Disk, exports, defaultExport, connect, finish }, isFilter) {
  const has = (name) => typeof Disk.prototype[name] === "function";
  const calls = {};
  for (const method of METHODS) calls[method] = has(method);
  return {
    ...calls,
    pread: has("read") || has("reply"),
    pwrite: has("write") || has("inspectWrite"),
    exports: exports !== undefined,
    defaultExport: defaultExport !== undefined,
    connect: connect !== undefined,
    finish: finish !== undefined,
    info: has("info") || isFilter,
  };
}

/** Answers a read with what `read` or `reply` of `disk` says. */
function answerRead(disk, request, offset, length) {
  if (typeof disk.reply === "function") return disk.reply(new Reply(request, offset, length));
  const answer = (bytes) => {
    if (bytes) request.data(0n, bytes);
    else request.zero(0n, BigInt(length), false);
  };
  return whenDone(disk.read(offset, length), answer);
}

/** Answers an ioctl with what `ioctl` of `disk` says; without an answer the argument stays as it was. */
function answerIoctl(disk, request, number, argument) {
  if (argument.length !== Number(request.length())) {
    const text = 'the manifest of a filter with ioctl says "calls": {"ioctl": "transform"}';
    throw new Failure(Errno.EINVAL, text);
  }
  return whenDone(disk.ioctl(number, argument), (bytes) => {
    if (bytes) request.data(0n, bytes);
  });
}

/** Gives `result`, or what it resolves to, to `use`. */
function whenDone(result, use) {
  return result instanceof Promise ? result.then(use) : use(result);
}

function reportExtents(request, list) {
  for (const { length, hole = false, zero = false } of list) {
    request.extent(BigInt(length), hole, zero);
  }
}

/** The parameters of the manifest by position: a number, text, or bytes; several where repeated. */
export class Parameters {
  #given = new Map();

  constructor(list) {
    for (const { index, value } of list) {
      const values = this.#given.get(index) ?? [];
      values.push(value.val);
      this.#given.set(index, values);
    }
  }

  /** All values of a parameter. */
  all(index) {
    return this.#given.get(index) ?? [];
  }

  /** A number (an integer, a size in bytes, a duration in nanoseconds, ...); 0 if not given. */
  number(index) {
    return Number(this.all(index).at(-1) ?? 0);
  }

  /** A text, a path and so on; "" if not given. */
  text(index) {
    return new TextDecoder().decode(this.bytes(index));
  }

  /** The same, or a secret, as bytes. */
  bytes(index) {
    return this.all(index).at(-1) ?? new Uint8Array();
  }
}

/**
 * The export `device` of a plugin. `definition` has a class `Disk` whose methods are size, read or
 * reply, write, flush, trim, zero, cache, extents, secureErase, ioctl, description, info, close, and those
 * about zones, as far as there are such;
 * and functions start(parameters), open(name, readOnly, opened) which gives a Disk, exports, defaultExport,
 * connect and stop, of which `open` is needed. With `concurrent: true` methods for requests may be async.
 */
export function definePlugin(definition) {
  return define(definition, false);
}

/**
 * The export `device` of a filter: like definePlugin, but open(next, name, readOnly, opened) gets what is
 * below, and methods of its disks may be async. What a disk has no method for goes to the first child.
 * With inspectWrite(write) in place of `write` it looks at writes before they are passed on. finish(), which
 * may be async, is called when nothing is open any more.
 */
export function defineFilter(definition) {
  return define(definition, true);
}

function define(definition, isFilter) {
  const later = isFilter || definition.concurrent === true;
  const serve = later ? (lent, handle) => void serveLater(lent, handle) : serveNow;
  class Disk {
    constructor(inner, next) {
      this.inner = inner;
      this.next = next;
    }

    size() {
      return failing(() => BigInt(this.inner.size()));
    }

    description() {
      return this.inner.description();
    }

    info(assumed) {
      return failing(() => {
        if (isFilter) limitByChild(definition, this.next, assumed);
        return this.inner.info?.(assumed) ?? assumed;
      });
    }

    pread(count, offset, request) {
      serve(request, (to) => answerRead(this.inner, to, Number(offset), Number(count)));
    }

    pwrite(data, offset, flags, request) {
      if (!this.inner.write) {
        failing(() => {
          this.inner.inspectWrite(new Write(request, Number(offset)));
          guarded(() => request.forward(0, 0n, request.length(), offset, flags, 0));
        });
        return;
      }
      serve(request, () => this.inner.write(Number(offset), data, flags));
    }

    flush(request) {
      serve(request, () => this.inner.flush());
    }

    trim(count, offset, flags, request) {
      serve(request, () => this.inner.trim(Number(offset), Number(count), flags));
    }

    zero(count, offset, flags, request) {
      serve(request, () => this.inner.zero(Number(offset), Number(count), flags));
    }

    cache(count, offset, request) {
      serve(request, () => this.inner.cache(Number(offset), Number(count)));
    }

    extents(count, offset, flags, request) {
      serve(request, (to) => {
        const list = this.inner.extents(Number(offset), Number(count), flags);
        return whenDone(list, (all) => reportExtents(to, all));
      });
    }

    secureErase(count, offset, request) {
      serve(request, () => this.inner.secureErase(Number(offset), Number(count)));
    }

    ioctl(number, argument, request) {
      serve(request, (to) => answerIoctl(this.inner, to, number >>> 0, argument));
    }

    zones() {
      return failing(() => zonesRecord(this.inner.zones()));
    }

    zoneReport(count, offset, request) {
      serve(request, (to) => {
        const list = this.inner.zoneReport(Number(offset), Number(count));
        return whenDone(list, (all) => reportZones(to, all));
      });
    }

    zoneAppend(data, offset, flags, request) {
      serve(request, (to) => {
        const place = this.inner.zoneAppend(Number(offset), data, flags);
        return whenDone(place, (at) => to.zoneAppended(BigInt(at)));
      });
    }

    zoneOpen(count, offset, request) {
      serve(request, () => this.inner.zoneOpen(Number(offset), Number(count)));
    }

    zoneClose(count, offset, request) {
      serve(request, () => this.inner.zoneClose(Number(offset), Number(count)));
    }

    zoneFinish(count, offset, request) {
      serve(request, () => this.inner.zoneFinish(Number(offset), Number(count)));
    }

    zoneReset(count, offset, request) {
      serve(request, () => this.inner.zoneReset(Number(offset), Number(count)));
    }

    [Symbol.dispose]() {
      this.inner.close?.();
    }
  }

  return {
    Disk,
    implemented: () => implementedBy(definition, isFilter),
    start: (list) => failing(() => definition.start?.(new Parameters(list))),
    listExports: () => failing(() => definition.exports()),
    defaultExport: () => failing(() => definition.defaultExport() ?? undefined),
    connect: (peer) => failing(() => definition.connect(peer)),
    open: (name, readOnly, context) => {
      return failing(() => {
        const opened = new Opened(context);
        if (!isFilter) return new Disk(definition.open(name, readOnly, opened));
        const next = new Next(context);
        return new Disk(definition.open(next, name, readOnly, opened), next);
      });
    },
    done: ended,
    finish: () => void finishing(definition),
    stop: () => definition.stop?.(),
  };
}

async function finishing({ finish }) {
  try {
    await finish();
  } catch (error) {
    log("error", failureOf(error).text);
  }
}

/** Handles a request of a plugin at once. */
function serveNow(request, handle) {
  failing(() => handle(request));
}

/** Handles a request of a filter, which may wait for what is below: so it is taken for later. */
async function serveLater(lent, handle) {
  const request = lent.later();
  try {
    await handle(request);
    request.finish({ tag: "ok" });
  } catch (error) {
    request.finish({ tag: "err", val: failureOf(error) });
  }
  request[Symbol.dispose]();
}

/** A filter that writes to what is below it can do no more than that. */
function limitByChild({ Disk }, next, info) {
  if (typeof Disk.prototype.write !== "function") return;
  if (next.info().write !== "none") return;
  for (const name of ["write", "fua", "zero", "fastZero", "trim"]) info[name] = "none";
}
