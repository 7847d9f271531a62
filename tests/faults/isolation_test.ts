// SPDX-License-Identifier: MIT
// Two exports in one process, one of whose plugins loops for ever: its requests fail in time, and the
// other export is as fast as before, or nearly. fio and nbdsh are the clients.

import assert from "node:assert/strict";
import type { ExportOffer } from "../../core/control/options.ts";
import { LIMITS_DEFAULT } from "../../core/control/options.ts";
import { startServer } from "../../core/control/serve.ts";
import { parseParameters } from "../../core/plugin/parameters.ts";
import { preparePlugin } from "../../core/plugin/prepare.ts";
import { mayEndIdle } from "../../native/priority.ts";
import { output } from "../support/command.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires } from "../support/peers.ts";
import { unixUri } from "../support/server.ts";
import { rangeCall, watPlugin } from "../support/wat_plugin.ts";

const TIMEOUT_MS = 1000;
/** How late a request may fail, and what must be left of the other export's throughput. */
const LATE_MS_MAX = 50;
const LEFT_MIN = leftMin();
/** Other work on the machine spoils a round, but hardly all of them. */
const ROUNDS_MAX = 6;

/** Without the right to take their share back, threads share the processors as usual. */
function leftMin(): number {
  if (mayEndIdle(0)) return 0.8;
  console.warn(
    "NOT ALLOWED to take a share of the processors back: less is asked of the other export",
  );
  return 0.4;
}

function exported(name: string, bytes: Uint8Array, parameters: string[] = []): ExportOffer {
  const prepared = preparePlugin(bytes);
  const values = parseParameters(prepared.manifest.parameters, parameters);
  return { name, description: "", readOnly: false, device: { kind: "plugin", prepared, values } };
}

/** Random reads of 4 KiB per second. */
async function throughput(socket: string): Promise<number> {
  const text = await output([
    ...requires("fio"),
    "--name=x",
    "--ioengine=nbd",
    `--uri=${unixUri(socket, "good")}`,
    "--rw=randread",
    "--bs=4k",
    "--iodepth=16",
    "--size=16M",
    "--runtime=2",
    "--time_based",
    "--output-format=json",
  ]);
  return JSON.parse(text.slice(text.indexOf("{"))).jobs[0].read.iops;
}

/** Reads from the plugin that loops for two seconds; how late the requests failed, in milliseconds. */
async function attack(socket: string): Promise<number[]> {
  const text = await output([
    ...requires("nbdsh", "newer"),
    "-u",
    unixUri(socket, "bad"),
    "-c",
    "-",
  ], {
    input: `
import errno, nbd, time
end = time.monotonic() + 2
while time.monotonic() < end:
    start = time.monotonic()
    try:
        h.pread(512, 0)
        assert False
    except nbd.Error as error:
        assert error.errnum == errno.EIO, error
    print((time.monotonic() - start) * 1000 - ${TIMEOUT_MS})
`,
  });
  return text.trim().split("\n").map(Number);
}

Deno.test("a plugin that loops takes neither time nor processors from another export", async () => {
  using directory = new TestDirectory();
  const socket = directory.file("socket");
  const memory = Deno.readFileSync(new URL("../../dist/plugins/memory.wasm", import.meta.url));
  const loop = await watPlugin({ body: rangeCall("sb_pread", "(loop (br 0)) (i32.const 0)") });
  const lines: string[] = [];
  const server = await startServer({
    exports: [exported("good", memory, ["16M"]), exported("bad", loop)],
    defaultExport: null,
    listen: [{ kind: "unix", path: socket }],
    connections: [],
    threads: "auto",
    busyPollUs: "auto",
    exitWithLastClient: false,
    verbose: false,
    limits: { ...LIMITS_DEFAULT, pluginTimeoutMs: TIMEOUT_MS },
  }, (_level, text) => void lines.push(text));
  try {
    await throughput(socket);
    const seen: string[] = [];
    let inTime = false;
    let asFast = false;
    for (let round = 0; round < ROUNDS_MAX && !(inTime && asFast); round++) {
      const before = await throughput(socket);
      const [during, late] = await Promise.all([throughput(socket), attack(socket)]);
      const left = during / before;
      const lateMs = Math.min(...late);
      assert(lateMs >= 0, `a request failed ${-lateMs} ms early`);
      inTime ||= lateMs < LATE_MS_MAX;
      asFast ||= left >= LEFT_MIN;
      seen.push(`${left.toFixed(2)} of the throughput, ${Math.round(lateMs)} ms late`);
    }
    assert(inTime && asFast, seen.join("; "));
    assert.match(lines.join("\n"), /took longer than 1000 ms in sb_pread/);
  } finally {
    await server.stop();
  }
});
