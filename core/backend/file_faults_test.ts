// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { join } from "node:path";
import { Errno } from "../block/errno.ts";
import { RequestFlag } from "../block/request.ts";
import { DISK_DIRECTORY, fileDevice, pattern, succeeds } from "./file_testing.ts";
import { TestClient } from "./testing.ts";

const MIB = 1024 * 1024;
const IMAGE_BYTES = 16 * MIB;

/** Runs `test` in a small filesystem. Says so where that cannot be mounted. */
function onSmallFilesystem(kind: "tmpfs" | "ext4", test: (path: string) => void): void {
  const base = Deno.makeTempDirSync({ dir: DISK_DIRECTORY });
  const path = join(base, "mnt");
  Deno.mkdirSync(path);
  try {
    const image = join(base, "image");
    const mounted = kind === "tmpfs"
      ? succeeds("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path)
      : makeExt4(image) && succeeds("mount", "-o", "loop", image, path);
    if (!mounted) {
      console.warn(`NOT TESTED: a full ${kind} (needs root, mount and mkfs)`);
      return;
    }
    try {
      test(path);
    } finally {
      succeeds("umount", path);
    }
  } finally {
    Deno.removeSync(base, { recursive: true });
  }
}

function makeExt4(image: string): boolean {
  Deno.writeFileSync(image, new Uint8Array());
  Deno.truncateSync(image, IMAGE_BYTES);
  return succeeds("mkfs.ext4", "-q", "-F", image);
}

for (const kind of ["tmpfs", "ext4"] as const) {
  for (const direct of [false, true]) {
    const name = direct ? `${kind} past the page cache` : kind;
    Deno.test(`${name}: a full disk is ENOSPC, and what was written stays`, () => {
      onSmallFilesystem(kind, (path) => {
        const file = join(path, "disk.img");
        Deno.writeFileSync(file, new Uint8Array());
        Deno.truncateSync(file, 64 * MIB);
        const device = fileDevice({ file, direct });
        const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
        let written = 0;
        const fill = () => {
          for (; written < 64; written++) client.write(written * MIB, pattern(MIB, written));
        };
        assert.throws(fill, { errno: Errno.ENOSPC });
        assert.ok(written > 1 && written < 64);
        for (const flags of [0, RequestFlag.Fua]) {
          const write = () => client.write(50 * MIB, pattern(4 * MIB, 1), flags);
          assert.throws(write, { errno: Errno.ENOSPC });
          const zero = () => client.zero(40 * MIB, 8 * MIB, flags | RequestFlag.NoHole);
          assert.throws(zero, { errno: Errno.ENOSPC });
        }
        client.flush();
        assert.deepEqual(client.read(0, MIB), pattern(MIB, 0));
        // A hole makes room again.
        client.trim(0, 2 * MIB);
        client.write(0, pattern(4096, 9));
        assert.deepEqual(client.read(0, 4096), pattern(4096, 9));
        client.close();
      });
    });
  }
}

/** Code of a worker that forbids io_uring to its thread with a seccomp filter and then uses a file. */
const WORKER = `
  import { FileDevice } from ${JSON.stringify(import.meta.resolve("./file.ts"))};
  import { TestClient } from ${JSON.stringify(import.meta.resolve("./testing.ts"))};
  import { values } from ${JSON.stringify(import.meta.resolve("./file_testing.ts"))};

  const { symbols } = Deno.dlopen("libc.so.6", {
    prctl: { parameters: ["i32", "usize", "buffer", "usize", "usize"], result: "i32" },
  });
  // Load the number of the system call; 425 (io_uring_setup) is EPERM, all others are allowed.
  const filter = new BigUint64Array([
    0x0000000000000020n,
    0x000001a900010015n,
    0x7fff000000000006n,
    0x0005000100000006n,
  ]);
  const program = new BigUint64Array(2);
  program[0] = 4n;
  program[1] = BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter)));
  const PR_SET_NO_NEW_PRIVS = 38, PR_SET_SECCOMP = 22, SECCOMP_MODE_FILTER = 2n;
  if (symbols.prctl(PR_SET_NO_NEW_PRIVS, 1n, null, 0n, 0n) < 0) throw new Error("no_new_privs");
  if (symbols.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0n, 0n) < 0) {
    throw new Error("seccomp");
  }
  self.onmessage = ({ data: file }) => {
    const logged = [];
    const log = (level, text) => logged.push(level + ": " + text);
    const device = FileDevice.create(values({ file }), { log });
    const client = new TestClient(device, device.open("", { readOnly: false, peer: "" }));
    client.write(5, new Uint8Array([1, 2, 3]), 1);
    client.flush();
    client.zero(6, 1);
    const bytes = client.read(4, 5);
    client.close();
    self.postMessage({ logged, bytes, pended: client.pended });
  };
`;

Deno.test("where io_uring is forbidden the log says so once and everything works", async () => {
  const directory = Deno.makeTempDirSync({ dir: DISK_DIRECTORY });
  const file = join(directory, "disk.img");
  Deno.writeFileSync(file, new Uint8Array(100));
  const main = join(directory, "worker.js");
  Deno.writeTextFileSync(main, WORKER);
  const worker = new Worker(`file://${main}`, { type: "module" });
  const answer = await new Promise<{ logged: string[]; bytes: Uint8Array; pended: number }>(
    (resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
      worker.postMessage(file);
    },
  ).finally(() => worker.terminate());
  Deno.removeSync(directory, { recursive: true });
  assert.equal(answer.logged.length, 1);
  assert.match(answer.logged[0]!, /^warning: cannot set up an io_uring: .*\(EPERM\): /);
  assert.deepEqual(answer.bytes, new Uint8Array([0, 1, 0, 3, 0]));
  assert.ok(answer.pended > 0);
});
