// SPDX-License-Identifier: MIT
// Requests that only the module bdus carries: ioctls of a device's own, and secure erase.

import { runOrExplain } from "../support/private_apt.ts";
import { TestDirectory } from "../support/directory.ts";
import { kernelTest } from "./chosen.ts";
import { succeedInGuest } from "./guest.ts";
import { builtModule } from "./module.ts";
import { prelude } from "./script.ts";

const EXAMPLES = new URL("../../wasm-plugins/abi/examples/", import.meta.url).pathname;

/** Compiles the example `label.c` into `directory`; its path. Throws Error. */
async function builtLabel(directory: string): Promise<string> {
  const out = `${directory}/label.wasm`;
  const flags = "--target=wasm32 -O2 -mbulk-memory -nostdlib -Wl,--no-entry";
  await runOrExplain([
    "clang",
    ...flags.split(" "),
    `-I${EXAMPLES}..`,
    "-o",
    out,
    `${EXAMPLES}label.c`,
  ]);
  return out;
}

/** Uses `dev` by ioctls: arguments of both ways, the largest one, none, and what it does not know. */
const IOCTLS = (rings: boolean) => `
python3 - $dev <<'PY'
import errno, fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
SWAP, CLEAR, SUM = 0xc0202a01, 0x2a02, 0xffff2a03
label = lambda text: text.ljust(32, b"\\0")
def swap(text):
    argument = bytearray(label(text))
    fcntl.ioctl(fd, SWAP, argument)
    return bytes(argument)
def refused(number, argument, *errnos):
    try: fcntl.ioctl(fd, number, argument)
    except OSError as error: assert error.errno in errnos, error
    else: raise SystemExit("not refused: %x" % number)
assert swap(b"first") == label(b"")
assert swap(b"second") == label(b"first")
fcntl.ioctl(fd, CLEAR)
assert swap(b"third") == label(b"")
large = bytearray(b"\\3" * 16383)
fcntl.ioctl(fd, SUM, large)
assert int.from_bytes(large[:4], "little") == 3 * 16383, large[:4]
refused(0xc0202a09, bytearray(32), errno.ENOTTY)
refused(SWAP, bytearray(b"A" * 32), errno.EINVAL)
set, get = (0x40202a04, 0x80202a05)
if ${rings ? "True" : "False"}:
    fcntl.ioctl(fd, set, bytearray(label(b"fourth")))
    read = bytearray(b"x" * 32)
    fcntl.ioctl(fd, get, read)
    assert read == label(b"fourth"), read
    # What only comes out is not overwritten by what only goes in.
    argument = bytearray(label(b"third"))
    fcntl.ioctl(fd, set, argument)
    assert argument == label(b"third"), argument
for i in range(2000):
    assert swap(b"%d" % i) == label(b"third" if i == 0 else b"%d" % (i - 1))
PY
`;

/** The bytes of a range that was erased, and those beside it. */
const ERASE = `
dd if=/dev/urandom of=copy bs=1M count=16 status=none
dd if=copy of=$dev bs=1M oflag=direct status=none
blkdiscard -f --secure --offset 4M --length 8M $dev
cmp -n 8388608 -i 4194304:0 $dev /dev/zero
cmp -n 4194304 $dev copy
cmp -i 12582912 $dev copy
`;

/** An ioctl that is under way when the process dies is answered by the next one. */
const RECOVERY = `
python3 -c "
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), 0x40042a06, struct.pack('I', 8000))" $dev & waiter=$!
sleep 6
kill -9 $(device_pid $dev)
eventually 20 sandblock attach --recover $dev $label 16M
wait $waiter`;

for (const rings of [true, false]) {
  const how = rings ? "rings" : "no rings";
  kernelTest(`bdus: ioctls and secure erase reach a plugin, with ${how}`, async (kernel) => {
    const module = await builtModule(kernel);
    using directory = new TestDirectory("/var/tmp");
    const label = await builtLabel(directory.path);
    await succeedInGuest(
      `${prelude()}
label=${label}
insmod ${module}${rings ? "" : " rings=n"}
dev=$(sandblock attach --via bdus ${label} 16M)${IOCTLS(rings)}${ERASE}
${rings ? RECOVERY : ""}
echo "default allow
errno EPERM ioctl, secure-erase if offset < 1G" > policy
sandblock attach --replace $dev --policy policy ${label} 16M
if blkdiscard -f --secure --length 1M $dev; then false; fi
python3 - $dev <<'PY'
import fcntl, os, sys
try: fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), 0x2a02)
except PermissionError: pass
else: raise SystemExit("not refused")
PY
sandblock detach $dev
below=$(sandblock attach --via bdus memory 16M)
dev=$(sandblock attach --via bdus --filter offset file $below offset=0)${ERASE}
python3 - $dev <<'PY'
import fcntl, os, sys
try: fcntl.ioctl(os.open(sys.argv[1], os.O_RDWR), 0x2a02)
except OSError as error: assert error.errno == 25, error
else: raise SystemExit("not refused")
PY
sandblock detach $dev
sandblock detach $below
dev=$(sandblock attach --via bdus --filter cow memory 16M)
if blkdiscard -f --secure --length 1M $dev 2> text; then false; fi; grep -i "not supported" text
sandblock detach $dev
rmmod bdus
all_gone`,
      { kernel, memoryMegabytes: 1536 },
    );
  }, { thorough: true });
}
