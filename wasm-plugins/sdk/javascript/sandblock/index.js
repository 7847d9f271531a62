// SPDX-License-Identifier: MIT
// Makes block devices for sandblock in JavaScript: definePlugin and defineFilter turn classes into
// what the world `plugin` exports. Offsets and lengths are numbers; beyond 2^53 there is nothing.

import * as host from "sandblock:plugin/host@3.1.0";

/** Error numbers of Linux that devices need most. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EINVAL: 22,
  ENOSPC: 28,
  EROFS: 30,
  EOPNOTSUPP: 95,
  ESHUTDOWN: 108,
};

/** Fails a request with an error number and a text; any other error fails it with EIO. */
export class Failure extends Error {
  constructor(errno, text = "") {
    super(text);
    this.errno = errno;
  }
}

/** Writes a line to the host's log: "error", "warning", "info" or "debug". */
export function log(level, text) {
  host.log(level, String(text));
}

/** Sets a metric by its position in the manifest. */
export function metric(index, value) {
  host.metric(index, BigInt(value));
}

/** Resolves when the time has passed; for filters and asynchronous plugins. */
export function sleep(milliseconds) {
  return begin((token) => {
    host.timer(BigInt(Math.round(milliseconds * 1e6)), token);
    return undefined;
  });
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
}

/** What waits for the host, by token: resolve, reject. */
const waiting = new Map();
let lastToken = 0;

/** Has `start` begin something with a token; a promise of what it brings. undefined: it comes later. */
function begin(start) {
  do lastToken = lastToken % 0x3fffffff + 1; while (waiting.has(lastToken));
  const token = lastToken;
  return new Promise((resolve, reject) => {
    const result = guarded(() => start(token));
    if (result !== undefined && result !== "pending") resolve(result);
    else waiting.set(token, { resolve, reject });
  });
}

function ended(token, outcome) {
  const waiter = waiting.get(token);
  if (waiter === undefined) return;
  waiting.delete(token);
  if (outcome.tag === "failed") waiter.reject(new Failure(outcome.val.errno, outcome.val.text));
  else waiter.resolve(outcome.val);
}

/** Runs a function of the host; what it throws becomes a Failure. */
function guarded(run) {
  try {
    return run();
  } catch (error) {
    const { errno, text } = error.payload ?? error;
    throw errno === undefined ? error : new Failure(errno, text);
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

  async extents(offset, length, flags = {}) {
    const list = await begin((token) =>
      this.#context.extents(this.#child, BigInt(length), BigInt(offset), flags, 1024, token)
    );
    return list.map(({ length, hole, zero }) => ({ length: Number(length), hole, zero }));
  }

  #range(name, offset, length, flags) {
    return begin((token) =>
      this.#context[name](this.#child, BigInt(length), BigInt(offset), flags, token)
    );
  }
}

/** What the engine says where there is no memory. */
const NO_MEMORY = /^out of memory$|allocation (failed|size overflow)/;

/** What is thrown for a function whose result may be a failure. */
function failureOf(error) {
  const other = NO_MEMORY.test(error?.message ?? error) ? Errno.ENOMEM : Errno.EIO;
  const errno = Number.isInteger(error?.errno) ? error.errno : other;
  return { errno, text: String(error?.message ?? error) };
}

function failing(run) {
  try {
    return run();
  } catch (error) {
    throw failureOf(error);
  }
}

/** Methods of a disk and what `implemented` calls them. */
const METHODS = {
  write: "pwrite",
  flush: "flush",
  trim: "trim",
  zero: "zero",
  cache: "cache",
  extents: "extents",
  size: "size",
  description: "description",
};

function implementedBy({ Disk, exports, defaultExport, connect }, isFilter) {
  const has = (name) => typeof Disk.prototype[name] === "function";
  const calls = {};
  for (const [method, call] of Object.entries(METHODS)) calls[call] = has(method);
  return {
    ...calls,
    pread: has("read") || has("reply"),
    exports: exports !== undefined,
    defaultExport: defaultExport !== undefined,
    connect: connect !== undefined,
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
  const result = disk.read(offset, length);
  return result instanceof Promise ? result.then(answer) : answer(result);
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
 * reply, write, flush, trim, zero, cache, extents, description, info, close as far as there are such;
 * and functions start(parameters), open(name, readOnly) which gives a Disk, exports, defaultExport,
 * connect and stop, of which `open` is needed.
 */
export function definePlugin(definition) {
  return define(definition, false);
}

/**
 * The export `device` of a filter: like definePlugin, but open(next, name, readOnly) gets what is
 * below, and methods of its disks may be async. What a disk has no method for goes to the first child.
 */
export function defineFilter(definition) {
  return define(definition, true);
}

function define(definition, isFilter) {
  const serve = isFilter ? (lent, handle) => void serveLater(lent, handle) : serveNow;
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
        if (list instanceof Promise) return list.then((all) => reportExtents(to, all));
        reportExtents(to, list);
      });
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
        if (!isFilter) return new Disk(definition.open(name, readOnly));
        const next = new Next(context);
        return new Disk(definition.open(next, name, readOnly), next);
      });
    },
    done: ended,
    finish: () => {},
    stop: () => definition.stop?.(),
  };
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
