// SPDX-License-Identifier: MIT
// The server as a process among others: --run, pid files, going to the background, its end.

import assert from "node:assert/strict";
import { output, run } from "../support/command.ts";
import { until } from "../support/deadline.ts";
import { TestDirectory } from "../support/directory.ts";
import { requires, shellWords } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer, unixUri } from "../support/server.ts";

/** Runs `sandblock serve` to its end. */
function serve(...args: string[]) {
  return run([...sandblock(), "serve", ...args]);
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}

Deno.test("--run has the exit status of its command", async () => {
  for (const status of [0, 1, 3, 77]) {
    const { code } = await serve("memory", "1M", "--run", `exit ${status}`);
    assert.equal(code, status);
  }
});

Deno.test("--run has 128 and the signal that killed its command", async () => {
  assert.equal((await serve("memory", "1M", "--run", "kill -9 $$")).code, 137);
  assert.equal((await serve("memory", "1M", "--run", "kill -15 $$")).code, 143);
});

Deno.test("--run gives the address in every form that clients understand", async () => {
  const [nbdinfo, qemuImg] = [requires("nbdinfo"), requires("qemu-img")].map(shellWords);
  const command = `
    ${nbdinfo} --size "$uri" && ${qemuImg} info "$nbd" && echo "socket=$unixsocket name=$exportname"`;
  const { code, stdout, stderr } = await serve("-e", "my disk", "memory", "1M", "--run", command);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^1048576\n/);
  assert.match(stdout, /1 MiB/);
  const [, socket] = stdout.match(/socket=(\S+) name=my disk\n/)!;
  assert.throws(() => Deno.statSync(socket!), Deno.errors.NotFound);
});

Deno.test("a zoned device can be read over NBD", async () => {
  const nbdinfo = shellWords(requires("nbdinfo"));
  const command = `${nbdinfo} --size "$uri" && ${nbdinfo} --is read-only "$uri"`;
  const { code, stdout, stderr } = await serve("-r", "zoned", "64M", "--run", command);
  assert.deepEqual([code, stdout], [0, "67108864\n"], stderr);
});

Deno.test("--run with a TCP listener tells its port", async () => {
  const nbdinfo = shellWords(requires("nbdinfo"));
  const command = `${nbdinfo} --size "nbd://localhost:$port"`;
  const { stdout, stderr } = await serve("-p", "0", "memory", "1M", "--run", command);
  assert.equal(stdout, "1048576\n", stderr);
});

Deno.test("--run passes on the environment as it is", async () => {
  const env = { HOME: "/somewhere", DENO_DIR: "/elsewhere", NODE_OPTIONS: "--x", COMPLETE: "y" };
  const command = [...sandblock(), "serve", "memory", "1M", "--run", "env"];
  const text = await output(command, { env });
  for (const [name, value] of Object.entries(env)) assert.ok(text.includes(`${name}=${value}\n`));
});

Deno.test("--run: SIGTERM to the server ends the command and then the server", async () => {
  using directory = new TestDirectory();
  const pidFile = directory.file("pid");
  const command = `echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 1000`;
  const [program, ...first] = sandblock();
  const args = [...first, "serve", "memory", "1M", "--run", command];
  const child = new Deno.Command(program!, { args, stdin: "null" }).spawn();
  const pid = Number(await until(() => existing(pidFile), "the command"));
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 143);
  assert.equal(isAlive(pid), false);
});

function existing(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}

Deno.test("-P writes the process id once clients can connect, and removes it", async () => {
  using directory = new TestDirectory();
  const pidFile = directory.file("pid");
  await using server = await TestServer.start(["-P", pidFile, "memory", "1M"]);
  assert.equal(Deno.readTextFileSync(pidFile), `${server.pid}\n`);
  await server.stop();
  assert.equal(existing(pidFile), null);
});

Deno.test("--fork comes back when clients can connect, and the server goes on", async () => {
  using directory = new TestDirectory();
  const [socket, pidFile] = [directory.file("socket"), directory.file("pid")];
  const { code, stderr } = await serve("--fork", "-P", pidFile, "-U", socket, "memory", "1M");
  assert.equal(code, 0, stderr);
  const pid = Number(Deno.readTextFileSync(pidFile));
  try {
    assert.equal(await output([...requires("nbdinfo"), "--size", unixUri(socket)]), "1048576\n");
  } finally {
    Deno.kill(pid, "SIGTERM");
  }
  await until(() => !isAlive(pid), "the end of the server");
  assert.equal(existing(pidFile), null);
  assert.throws(() => Deno.lstatSync(socket), Deno.errors.NotFound);
});

Deno.test("--fork that cannot serve says why and fails", async () => {
  using directory = new TestDirectory();
  const { code, stderr } = await serve("--fork", "-U", directory.file("s"), "file", "/nonexistent");
  assert.equal(code, 1);
  assert.match(stderr, /nonexistent/);
});

Deno.test("--exit-with-last-client ends the server with status 0", async () => {
  await using server = await TestServer.start(["--exit-with-last-client", "memory", "1M"]);
  const first = await server.client();
  const second = await server.client();
  await first.leave();
  first.close();
  assert.equal((await second.read(0, 10)).length, 10);
  second.close();
  assert.equal((await server.ended()).code, 0);
});

Deno.test("--exit-with-parent ends the server when its parent is killed", async () => {
  using directory = new TestDirectory();
  const pidFile = directory.file("pid");
  const words = shellWords([...sandblock(), "serve", "--exit-with-parent", "-P", pidFile]);
  const script = `${words} -U ${directory.file("socket")} memory 1M & wait`;
  const parent = new Deno.Command("/bin/sh", { args: ["-c", script], stderr: "null" }).spawn();
  const pid = Number(await until(() => existing(pidFile), "the server"));
  parent.kill("SIGKILL");
  await parent.status;
  await until(() => !isAlive(pid), "the end of the server");
  assert.equal(existing(pidFile), null);
});

/** Python that is a service manager: starts the server and prints what that tells it. */
const MANAGER = `
import os, socket, subprocess, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(10)
os.environ["NOTIFY_SOCKET"] = sys.argv[1]
server = subprocess.Popen(sys.argv[2:])
ready = s.recv(4096).decode()
print(ready, flush=True)
assert f"MAINPID={server.pid}" in ready
server.terminate()
print(s.recv(4096).decode(), flush=True)
sys.exit(server.wait())
`;

Deno.test("NOTIFY_SOCKET is told when clients can connect and when the server stops", async () => {
  using directory = new TestDirectory();
  const command = [...sandblock(), "serve", "-U", directory.file("socket"), "memory", "1M"];
  const manager = [...requires("python3"), "-c", MANAGER, directory.file("notify")];
  const text = await output([...manager, ...command]);
  assert.match(text, /^READY=1\n(.|\n)*\nSTOPPING=1\n$/);
});

Deno.test("--dump-plugin and --dump-config print key=value lines", async () => {
  const plugin = await output([...sandblock(), "serve", "memory", "--dump-plugin"]);
  assert.match(plugin, /^name=memory$/m);
  const config = await output([...sandblock(), "serve", "--dump-config"]);
  for (const line of (plugin + config).trim().split("\n")) assert.match(line, /^[\w.-]+=/);
});

Deno.test("-v tells of every client that comes and goes", async () => {
  await using server = await TestServer.start(["-v", "memory", "1M"]);
  await output([...requires("nbdinfo"), "--size", server.uri()]);
  await server.log.match(/unix:pid=\d+,uid=\d+,gid=\d+: connected/);
  await server.log.match(/unix:pid=\d+,uid=\d+,gid=\d+: closed/);
});

Deno.test("an idle server with four clients uses no processor time", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  const clients = await Promise.all([1, 2, 3, 4].map(() => server.client()));
  for (const client of clients) await client.read(0, 4096);
  // Time has to pass here: that is what is measured. Other work on the machine only adds to it.
  await new Promise((resolve) => setTimeout(resolve, 200));
  let used = Infinity;
  for (let i = 0; i < 3 && used > 0.02; i++) {
    const before = server.cpuSeconds();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    used = server.cpuSeconds() - before;
  }
  assert.ok(used <= 0.02, `${used} s of 3 s`);
  for (const client of clients) client.close();
});
