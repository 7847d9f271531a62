// SPDX-License-Identifier: MIT
// A guest: a real kernel under QEMU, without hardware virtualisation, that runs one shell script as
// root. It sees all files of the host at the same paths; what it writes is gone when it ends.

import { within } from "../support/deadline.ts";
import { TestDirectory } from "../support/directory.ts";
import { exists } from "../support/private_apt.ts";
import { complaints } from "./complaints.ts";
import { type Kernel, kernel, type KernelVersion } from "./kernels.ts";

/** How a guest is started. */
export interface GuestOptions {
  kernel: KernelVersion;
  /** Modules to load before the script. */
  modules?: readonly string[];
  memoryMegabytes?: number;
  processors?: number;
  timeoutMs?: number;
  /** A host directory that it may write to, at the same path. */
  share?: string;
  /** A file of the host that is its disk /dev/vda. */
  disk?: string;
  /** The guest is killed when this file of the host appears, as if its power were cut. */
  cutWhenExists?: string;
  /** One processor whose clock advances by a nanosecond with each instruction. */
  countInstructions?: boolean;
  /** More words for the kernel's command line. */
  kernelArguments?: string;
}

/** What came of it. */
export interface GuestResult {
  /** Exit status of the script; null when the guest ended without one. */
  code: number | null;
  /** What the script wrote on stdout and stderr. */
  output: string;
  /** The kernel's log. */
  log: string;
  /** Lines of the log that should not be there. */
  complaints: string[];
}

const MEMORY_MEGABYTES = 1024;
const PROCESSORS = 2;
const TIMEOUT_MS = 240_000;
/** The debug kernel checks each access to memory, and keeps books of them. */
const DEBUG_SLOWNESS = 6;
const DEBUG_MEMORY_MEGABYTES_MIN = 2048;
const CUT_POLL_MS = 20;
/** A guest that has not come as far as its first program is booted again, up to so often. */
const BOOTS_MAX = 3;
const MODULE_FOLDER = "/lib/modules";

/**
 * Everything that would only slow the start down or differ from run to run is off. A processor that
 * stands still is the host's doing, which RCU and the watchdog cannot know.
 */
const KERNEL_ARGUMENTS = [
  "console=ttyS0 panic=-1 oops=panic quiet loglevel=5 mitigations=off nokaslr audit=0 apparmor=0",
  "random.trust_cpu=on tsc=reliable no_timer_check cryptomgr.notests raid=noautodetect",
  "rcupdate.rcu_cpu_stall_suppress=1 nosoftlockup",
].join(" ");

/** Boots a guest and runs `script` (for bash) in it. Throws Error when it does not end in time. */
export async function runGuest(script: string, options: GuestOptions): Promise<GuestResult> {
  for (let boot = 1;; boot++) {
    using directory = new TestDirectory();
    const result = await bootGuest(script, options, directory);
    // The emulator's processors now and then run into code that the kernel is changing as it starts, and
    // die of the int3 that stands there meanwhile. Nothing of ours has run by then.
    if (exists(directory.file("run/started")) || boot === BOOTS_MAX) return result;
    console.error(`the guest with Linux ${options.kernel} did not start; its kernel said:`);
    console.error(result.log);
  }
}

async function bootGuest(
  script: string,
  options: GuestOptions,
  directory: TestDirectory,
): Promise<GuestResult> {
  const chosen = kernel(options.kernel);
  Deno.mkdirSync(directory.file("run"));
  directory.write("run/start", startScript(chosen, options));
  directory.write("run/script", script);
  const log = directory.write("kernel.log", "");
  const child = new Deno.Command("qemu-system-x86_64", {
    args: qemuArguments(chosen, options, directory.path),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const ended = child.output();
  using _watch = watchForCut(child, options.cutWhenExists);
  try {
    const { stdout, stderr } = await within(ended, "the end of the guest", patienceMs(options));
    const text = new TextDecoder();
    const kernelLog = Deno.readTextFileSync(log);
    return {
      code: status(directory.file("run/status")),
      output: text.decode(stdout) + text.decode(stderr),
      log: kernelLog,
      complaints: complaints(kernelLog),
    };
  } catch (error) {
    child.kill("SIGKILL");
    const { stdout } = await ended;
    const said = new TextDecoder().decode(stdout);
    throw new Error(`${(error as Error).message}\n${said}\n${Deno.readTextFileSync(log)}`);
  }
}

/** Runs `script` with "set -eux" in a guest, and has it succeed without complaint. Its output. */
export async function succeedInGuest(script: string, options: GuestOptions): Promise<string> {
  // The trace goes past redirections of stderr.
  const prologue = "exec 9>&2; BASH_XTRACEFD=9; set -eux -o pipefail";
  const result = await runGuest(`${prologue}\n${script}`, options);
  if (result.code === 0 && result.complaints.length === 0) return result.output;
  const ending = result.code === null ? "without a status" : `with ${result.code}`;
  throw new Error(
    `the guest with Linux ${options.kernel} ended ${ending}\n${result.output}\n` +
      `its kernel said:\n${result.log}`,
  );
}

function patienceMs({ kernel: version, timeoutMs = TIMEOUT_MS }: GuestOptions): number {
  return version === "debug" ? timeoutMs * DEBUG_SLOWNESS : timeoutMs;
}

/** Kills `child` when `path` appears. */
function watchForCut(child: Deno.ChildProcess, path: string | undefined): Disposable {
  const timer = setInterval(() => {
    if (path === undefined || !exists(path)) return;
    clearInterval(timer);
    child.kill("SIGKILL");
  }, CUT_POLL_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function status(path: string): number | null {
  try {
    return Number(Deno.readTextFileSync(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** What the guest runs first; `run/script` after it. */
function startScript({ modules, release }: Kernel, options: GuestOptions): string {
  const { modules: load = [], share } = options;
  const virtio = "trans=virtio,version=9p2000.L,msize=512000";
  const lines = [
    ": > /run/guest/started",
    "exec < /dev/null > /dev/ttyS1 2>&1",
    "B=/usr/bin/busybox; [ -x $B ] || B=/bin/busybox",
    "$B stty -F /dev/ttyS1 raw -echo",
    "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root",
    "export LANG=C.UTF-8 TERM=dumb NO_COLOR=1 IN_GUEST=1",
    `$B mkdir -p ${MODULE_FOLDER}/${release} /dev/shm /dev/pts`,
    `$B mount --bind ${modules} ${MODULE_FOLDER}/${release}`,
    "$B mount -t tmpfs shm /dev/shm; $B mount -t devpts devpts /dev/pts",
    "$B mount -t tmpfs tmp /tmp; $B mount -t debugfs debug /sys/kernel/debug",
    "$B ln -sf /proc/self/fd /dev/fd; $B ip link set lo up",
    ...share === undefined
      ? []
      : [`$B mkdir -p '${share}'; $B mount -t 9p -o ${virtio} share '${share}'`],
    ...options.disk === undefined ? [] : ["modprobe -q virtio_blk"],
    ...load.map((name) => `modprobe ${name} || echo "guest: cannot load ${name}"`),
    "cd /tmp; bash /run/guest/script; echo $? > /run/guest/status",
    // The device isa-debug-exit ends QEMU at once.
    "$B dd if=/dev/zero of=/dev/port bs=1 seek=244 count=1 2>/dev/null",
  ];
  return lines.join("\n") + "\n";
}

function qemuArguments(
  { image, initramfs, version }: Kernel,
  options: GuestOptions,
  directory: string,
): string[] {
  const { memoryMegabytes: asked = MEMORY_MEGABYTES, processors = PROCESSORS, countInstructions } =
    options;
  const memoryMegabytes = version === "debug" ? Math.max(asked, DEBUG_MEMORY_MEGABYTES_MIN) : asked;
  const emulation = countInstructions
    ? ["-accel", "tcg,thread=single,tb-size=512", "-smp", "1", "-icount", "shift=0"]
    : ["-accel", "tcg,thread=multi,tb-size=512", "-smp", `${processors}`];
  const host = "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap";
  const share = options.share === undefined ? [] : [
    "-virtfs",
    `local,path=${options.share},mount_tag=share,security_model=none,multidevs=remap`,
  ];
  const disk = options.disk === undefined ? [] : [
    ...["-drive", `file=${options.disk},format=raw,if=none,id=disk`],
    ...["-device", "virtio-blk-pci,drive=disk"],
  ];
  // Without a PIT the clock is calibrated with the HPET, which a busy host disturbs less.
  // Nehalem is the smallest processor whose vector instructions suffice for WebAssembly.
  return [
    ..."-M q35,pit=off -bios qboot.rom -cpu Nehalem".split(" "),
    ...emulation,
    ..."-nodefaults -display none -no-reboot -nic none".split(" "),
    ...["-m", `${memoryMegabytes}`],
    ...["-kernel", image, "-initrd", initramfs],
    ...["-append", `${KERNEL_ARGUMENTS} ${options.kernelArguments ?? ""}`],
    ...["-virtfs", host],
    ...["-virtfs", `local,path=${directory}/run,mount_tag=run,security_model=none`],
    ...share,
    ...disk,
    ..."-device isa-debug-exit,iobase=0xf4,iosize=0x04 -device virtio-rng-pci".split(" "),
    ...["-chardev", `file,id=log,path=${directory}/kernel.log`, "-serial", "chardev:log"],
    ...["-serial", "stdio"],
  ];
}
