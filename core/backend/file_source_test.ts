// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Device, OpenExport } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import { ParameterError } from "../plugin/errors.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { Open, openFile } from "../../native/file.ts";
import { fileDevice, pattern } from "./file_testing.ts";
import { TestClient } from "./testing.ts";

const readWrite = { readOnly: false, peer: "test" };
const readOnly = { readOnly: true, peer: "test" };

/** Names that are unusual and yet names. */
const ODD_NAMES = [
  "a b",
  "ä ö ü €",
  "what?",
  "a&b=c",
  "100%41",
  "#",
  "back\\slash",
  "new\nline",
  "😀",
  "-r",
  "...",
  " ",
  "x".repeat(255),
];

function inDirectory(test: (path: string) => void): void {
  const path = Deno.makeTempDirSync();
  try {
    test(path);
  } finally {
    Deno.removeSync(path, { recursive: true });
  }
}

function withDevice(
  given: Record<string, string | number | boolean>,
  test: (device: Device) => void,
): void {
  const device = fileDevice(given);
  try {
    test(device);
  } finally {
    device.close();
  }
}

/** Reads the whole export `name`. */
function content(device: Device, name: string): Uint8Array {
  const opened = device.open(name, readOnly);
  const bytes = new TestClient(device, opened).read(0, opened.info.sizeLow);
  opened.close();
  return bytes;
}

function openErrno(device: Device, name: string, options = readOnly): number {
  let opened: OpenExport;
  try {
    opened = device.open(name, options);
  } catch (error) {
    assert.ok(error instanceof BlockError);
    assert.match(error.message, /^cannot /);
    return error.errno;
  }
  opened.close();
  return 0;
}

Deno.test("every regular file in a directory is an export, listed in order", () => {
  inDirectory((path) => {
    const names = [...ODD_NAMES].sort((a, b) => a < b ? -1 : 1);
    names.forEach((name, i) => Deno.writeFileSync(join(path, name), pattern(i + 1, i)));
    Deno.mkdirSync(join(path, "directory"));
    withDevice({ dir: path }, (device) => {
      assert.deepEqual(device.list().map(({ name }) => name), names);
      assert.equal(device.defaultExport(), null);
      names.forEach((name, i) => assert.deepEqual(content(device, name), pattern(i + 1, i)));
    });
  });
});

Deno.test("a name that leads out of the directory or to no file is unknown", () => {
  inDirectory((path) => {
    const shared = join(path, "shared");
    Deno.mkdirSync(shared);
    Deno.mkdirSync(join(shared, "below"));
    Deno.writeTextFileSync(join(path, "secret"), "secret");
    Deno.writeTextFileSync(join(shared, "below", "file"), "below");
    Deno.symlinkSync("../secret", join(shared, "relative"));
    Deno.symlinkSync(join(path, "secret"), join(shared, "absolute"));
    Deno.symlinkSync("/proc/self/exe", join(shared, "magic"));
    Deno.symlinkSync("nowhere", join(shared, "dangling"));
    Deno.symlinkSync("loop", join(shared, "loop"));
    Deno.symlinkSync("below", join(shared, "to-directory"));
    assert.ok(new Deno.Command("mkfifo", { args: [join(shared, "fifo")] }).outputSync().success);
    withDevice({ dir: shared }, (device) => {
      assert.deepEqual(device.list(), []);
      const names = ["", ".", "..", "../secret", "/etc/passwd", "below/file", "./below", "none"];
      const kinds = ["below", "fifo", "relative", "absolute", "magic", "dangling", "loop"];
      for (const name of [...names, ...kinds, "to-directory", "a\0b", "y".repeat(256)]) {
        assert.equal(openErrno(device, name), Errno.ENOENT, JSON.stringify(name));
        assert.equal(openErrno(device, name, readWrite), Errno.ENOENT, JSON.stringify(name));
      }
    });
  });
});

Deno.test("a symbolic link to a file in the same directory is an export", () => {
  inDirectory((path) => {
    Deno.writeFileSync(join(path, "v1.img"), pattern(100, 1));
    Deno.symlinkSync("v1.img", join(path, "current"));
    withDevice({ dir: path }, (device) => {
      assert.deepEqual(device.list().map(({ name }) => name), ["current", "v1.img"]);
      assert.deepEqual(content(device, "current"), pattern(100, 1));
    });
  });
});

Deno.test("a file whose name is not UTF-8 is left out", () => {
  inDirectory((path) => {
    // The shell's printf makes the byte 0xff, which no text can hold.
    const script = 'cd "$1" && touch "$(printf \'bad\\377\')" good';
    const args = ["-c", script, "sh", path];
    assert.ok(new Deno.Command("sh", { args }).outputSync().success);
    withDevice({ dir: path }, (device) => {
      assert.deepEqual(device.list().map(({ name }) => name), ["good"]);
      assert.equal(openErrno(device, "bad\ufffd"), Errno.ENOENT);
    });
  });
});

Deno.test("files that come and go are seen without a restart", () => {
  inDirectory((path) => {
    withDevice({ dir: path }, (device) => {
      assert.deepEqual(device.list(), []);
      Deno.writeFileSync(join(path, "new"), pattern(5, 1));
      assert.deepEqual(device.list().map(({ name }) => name), ["new"]);
      const opened = device.open("new", readWrite);
      Deno.removeSync(join(path, "new"));
      // Who has it open keeps it.
      assert.deepEqual(new TestClient(device, opened).read(0, 5), pattern(5, 1));
      assert.equal(openErrno(device, "new"), Errno.ENOENT);
      opened.close();
    });
  });
});

Deno.test("a single file is the default export and has no other name", () => {
  inDirectory((path) => {
    const file = join(path, "disk.img");
    Deno.writeFileSync(file, pattern(1000, 1));
    withDevice({ file }, (device) => {
      assert.equal(device.defaultExport(), "");
      assert.deepEqual(device.list(), [{ name: "", description: "disk.img" }]);
      assert.equal(device.open("", readOnly).info.description, "disk.img");
      assert.deepEqual(content(device, ""), pattern(1000, 1));
      assert.equal(openErrno(device, "disk.img"), Errno.ENOENT);
    });
  });
});

Deno.test("inherited descriptors serve a file or a directory and stay open", () => {
  inDirectory((path) => {
    const file = join(path, "disk.img");
    Deno.writeFileSync(file, pattern(1000, 1));
    const fd = openFile(file, Open.ReadWrite);
    const dirfd = openFile(path, Open.ReadOnly | Open.Directory);
    withDevice({ fd }, (device) => {
      const opened = device.open("", readWrite);
      new TestClient(device, opened).write(10, pattern(5, 2));
      opened.close();
      assert.deepEqual(content(device, "").subarray(10, 15), pattern(5, 2));
    });
    withDevice({ fd }, (device) => assert.equal(content(device, "").length, 1000));
    for (let i = 0; i < 2; i++) {
      withDevice({ dirfd }, (device) => {
        assert.deepEqual(device.list(), [{ name: "disk.img", description: "" }]);
        assert.equal(content(device, "disk.img").length, 1000);
      });
    }
    closeDescriptor(fd);
    closeDescriptor(dirfd);
  });
});

Deno.test("a descriptor of a deleted file is served", () => {
  inDirectory((path) => {
    const file = join(path, "gone");
    Deno.writeFileSync(file, pattern(1000, 1));
    const fd = openFile(file, Open.ReadOnly);
    Deno.removeSync(file);
    withDevice({ fd }, (device) => {
      assert.deepEqual(content(device, ""), pattern(1000, 1));
      assert.equal(openErrno(device, "", readWrite), Errno.EACCES);
    });
    closeDescriptor(fd);
  });
});

Deno.test("read-only exports say so and can still be read and flushed", () => {
  inDirectory((path) => {
    const file = join(path, "disk.img");
    Deno.writeFileSync(file, pattern(1000, 1));
    withDevice({ file }, (device) => {
      const opened = device.open("", readOnly);
      const { readOnly: flag, can } = opened.info;
      assert.equal(flag, true);
      assert.deepEqual([can.write, can.trim, can.zero, can.fastZero], [0, 0, 0, 0]);
      const client = new TestClient(device, opened);
      client.flush();
      assert.throws(() => client.write(0, pattern(5, 1)), { errno: Errno.EBADF });
      opened.close();
    });
  });
});

Deno.test({
  name: "a file that may not be written is an error, unless served read-only",
  // Nothing is forbidden to root, so the test gives up its rights in a process of its own.
  fn() {
    inDirectory((path) => {
      Deno.chmodSync(path, 0o755);
      const file = join(path, "disk.img");
      Deno.writeFileSync(file, pattern(10, 1));
      Deno.chmodSync(file, 0o444);
      if (Deno.uid() === 0) return refusedByReadOnlyMount(path, file);
      withDevice({ file }, (device) => {
        assert.throws(() => device.open("", readWrite), /permission denied; serve it read-only$/);
        assert.equal(openErrno(device, ""), 0);
      });
    });
  },
});

/** Root is refused on a filesystem that is mounted read-only. */
function refusedByReadOnlyMount(path: string, file: string): void {
  const mount = (...args: string[]) => new Deno.Command("mount", { args }).outputSync().success;
  if (!mount("--bind", path, path) || !mount("-o", "remount,bind,ro", path)) {
    console.warn("not tested: a file that may not be written (root, and mount is forbidden)");
    return;
  }
  try {
    withDevice({ file }, (device) => {
      assert.throws(() => device.open("", readWrite), /is read-only; serve it read-only$/);
      assert.equal(openErrno(device, ""), 0);
    });
  } finally {
    new Deno.Command("umount", { args: [path] }).outputSync();
  }
}

Deno.test("what cannot be served is refused with a reason", () => {
  inDirectory((path) => {
    const file = join(path, "disk.img");
    Deno.writeFileSync(file, pattern(10, 1));
    const refuse = (given: Record<string, string | number | boolean>, message: RegExp) =>
      assert.throws(() => fileDevice(given), message);
    refuse(
      { file: join(path, "none") },
      /^BlockError: cannot open ".*none": No such file or directory \(ENOENT\)$/,
    );
    refuse({ file: path }, /^BlockError: cannot serve ".*": it is a directory; use "dir="/);
    refuse({ file: "/dev/null" }, /neither a regular file nor a block device$/);
    refuse({ file: "/proc/version", direct: true }, /its filesystem has no direct I\/O$/);
    refuse({ dir: file }, /Not a directory \(ENOTDIR\)$/);
    refuse(
      { fd: 987_654 },
      /^BlockError: cannot use descriptor 987654: Bad file descriptor \(EBADF\)$/,
    );
    assert.throws(() => fileDevice({}), ParameterError);
    assert.throws(() => fileDevice({ file, dir: path }), ParameterError);
  });
});
