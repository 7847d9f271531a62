// SPDX-License-Identifier: MIT
// The first file system of a guest (Documentation/driver-api/early-userspace/buffer-format.rst): a
// static busybox, the modules that lead to the host's files, and a script that goes there.

import { exists } from "../support/private_apt.ts";
import { unpack } from "./compression.ts";

/** What it takes to reach the host's files and to lay a writable layer above them. */
const MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"];
const BUSYBOX = ["/usr/bin/busybox", "/bin/busybox"];

/**
 * Mounts the host's root read-only below a layer of memory, and starts what the host has put in the
 * share "run". /dev/ttyS1 is what the test sees; a failure here must be seen there, too.
 */
const INIT = `#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev
fail() { echo "guest: cannot $*" > /dev/ttyS1; $B dd if=/dev/zero of=/dev/port bs=1 seek=244 count=1; }
for m in $($B cat /modules/order); do $B insmod /modules/$m || fail "load $m"; done
O=trans=virtio,version=9p2000.L,msize=512000
$B mount -t 9p -o $O,ro,cache=loose host /host || fail "mount the host's root"
$B mount -t tmpfs -o mode=755,size=90% tmpfs /layer; $B mkdir -p /layer/up /layer/work
$B mount -t overlay -o lowerdir=/host,upperdir=/layer/up,workdir=/layer/work root /root || fail "mount overlayfs"
for d in dev proc sys; do $B mount --move /$d /root/$d; done
$B mount -t tmpfs -o mode=755 tmpfs /root/run; $B mkdir -p /root/run/guest
$B mount -t 9p -o $O,access=any run /root/run/guest || fail "mount the share of this run"
exec $B switch_root /root /bin/sh /run/guest/start
`;

/** A file or directory of the archive. */
interface Entry {
  name: string;
  mode: number;
  content: Uint8Array;
}

const DIRECTORY = 0o40755;
const PROGRAM = 0o100755;
const FILE = 0o100644;

/** The archive for a kernel with these modules. Throws Error where something is missing. */
export async function buildInitramfs(modules: string): Promise<Uint8Array<ArrayBuffer>> {
  const busybox = BUSYBOX.find(exists);
  if (!busybox) throw new Error("cannot make an initramfs: busybox is not installed");
  const text = (words: string) => new TextEncoder().encode(words);
  const folders = ["bin", "dev", "proc", "sys", "modules", "host", "layer", "root"];
  const entries: Entry[] = folders
    .map((name) => ({ name, mode: DIRECTORY, content: new Uint8Array() }));
  entries.push({ name: "bin/busybox", mode: PROGRAM, content: await Deno.readFile(busybox) });
  entries.push({ name: "init", mode: PROGRAM, content: text(INIT) });
  const order: string[] = [];
  for (const path of neededModules(modules)) {
    const name = path.replace(/^.*\/([^/]+\.ko)(\.\w+)?$/, "$1");
    const content = await unpack(await Deno.readFile(`${modules}/${path}`));
    entries.push({ name: `modules/${name}`, mode: FILE, content });
    order.push(name);
  }
  entries.push({ name: "modules/order", mode: FILE, content: text(order.join("\n") + "\n") });
  return archive(entries);
}

/** Paths of MODULES and all that they need, in the order of loading. Absent ones are built in. */
function neededModules(modules: string): string[] {
  const needs = new Map<string, string[]>();
  for (const line of Deno.readTextFileSync(`${modules}/modules.dep`).split("\n")) {
    const [path = "", rest = ""] = line.split(":");
    // Listed from the nearest to the farthest.
    needs.set(path, rest.split(" ").filter((word) => word !== "").toReversed());
  }
  const builtIn = Deno.readTextFileSync(`${modules}/modules.builtin`);
  const wanted = MODULES.flatMap((name) => {
    const pattern = new RegExp(`(^|/)${name}\\.ko`);
    const path = [...needs.keys()].find((candidate) => pattern.test(candidate));
    if (path) return [...needs.get(path)!, path];
    if (pattern.test(builtIn)) return [];
    throw new Error(`cannot make an initramfs: the kernel has no module ${name}`);
  });
  return [...new Set(wanted)];
}

/** A cpio archive in the format "newc". */
function archive(entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const parts = [...entries, { name: "TRAILER!!!", mode: 0, content: new Uint8Array() }]
    .flatMap((entry, index) => entryParts(entry, index + 1));
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function entryParts({ name, mode, content }: Entry, inode: number): Uint8Array[] {
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  // inode, mode, uid, gid, links, mtime, size, device (2), rdev (2), name, checksum.
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const head = new Uint8Array(padded(header.length + nameBytes.length));
  head.set(new TextEncoder().encode(header));
  head.set(nameBytes, header.length);
  return [head, content, new Uint8Array(padded(content.length) - content.length)];
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
