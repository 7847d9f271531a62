// SPDX-License-Identifier: MIT
// libc functions of the data path and of sockets, typed for Deno's FFI. Only i32, u32, pointer and
// buffer parameters: V8 calls these without a detour, while usize and isize cost 60 to 100 ns more.
// All of them report failure as -1 with errno (see errno.ts).

import { lateFunctions } from "./late.ts";

const { symbols } = Deno.dlopen("libc.so.6", {
  // The data path: these two, readv(2) and writev(2), on non-blocking descriptors.
  readv: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  writev: { parameters: ["i32", "buffer", "i32"], result: "i32" },

  sched_yield: { parameters: [], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },

  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
});

/** The functions, by their libc names. */
export const libc = symbols;

/** Those that are not called for each request. */
export const lateLibc = lateFunctions({
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  socketpair: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
});
