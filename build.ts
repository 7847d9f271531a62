// SPDX-License-Identifier: MIT
// Builds dist/plugins/*.wasm, dist/assets, dist/man, dist/sandblock.js (all of the program in one file)
// and, out of that, the executable dist/sandblock. See docs/architecture.md, "One executable".
//   deno task build [--form=compile|selfrun]     default: compile where denort is available

import * as esbuild from "esbuild";
import config from "./deno.json" with { type: "json" };
import { checkedInStub, compileStub, type Stub } from "./native/selfrun/compile.ts";
import { type CodeCaches, makeCodeCaches } from "./native/selfrun/code_cache.ts";
import { asScript, loader, MODULE_LINE } from "./native/selfrun/loader.ts";
import { pack } from "./native/selfrun/pack.ts";

const ROOT = import.meta.dirname!;
const ENTRY = `${ROOT}/cli/main.ts`;
const PLUGINS = `${ROOT}/dist/plugins`;
const ASSETS = `${ROOT}/dist/assets`;
/** Asset with all that `plugin new` writes. */
const TEMPLATES = "templates.json";
const PROGRAM = `${ROOT}/dist/sandblock.js`;
const MANUAL = `${ROOT}/dist/man/man1`;
const EXECUTABLE = `${ROOT}/dist/sandblock`;
/** Takes the name of the executable once it is known to work. */
const NEW_EXECUTABLE = `${EXECUTABLE}.new`;

/**
 * How Deno runs the program. All permissions: a program that may call libc through FFI can do all
 * that its user can, so a list would promise what it does not keep. The rest keeps Deno from
 * looking for anything outside of the executable.
 */
const RUN = [
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--no-prompt",
  "--no-code-cache",
  "--allow-all",
];

/** Variables that would change how Deno runs; see native/user_environment.ts for the way back. */
const DROPPED = ["HOME=", "DENO_", "NODE_", "COMPLETE=", "OTEL_DENO=", "RUST_LOG="];
/**
 * Nothing can exist below /proc/self, so no ~/.npmrc is read and no cache is written; on a terminal
 * Deno would complain about the latter.
 */
const ADDED = [
  "HOME=/proc/self",
  "DENO_DIR=/proc/self/none",
  "DENO_LOG=info,deno::cache=off",
  "DENO_NO_UPDATE_CHECK=1",
  "DENO_DISABLE_NODE_SHIM=1",
];

async function main(args: string[]): Promise<void> {
  const form = chosenForm(args);
  await step("plugins", buildPlugins);
  await step("assets", buildAssets);
  await step("manual", manual);
  await step("program", bundle);
  await step("executable", () => form === "compile" ? compile() : selfrun());
  await step("check", check);
}

async function step(name: string, work: () => Promise<string> | string): Promise<void> {
  const start = performance.now();
  const words = await work();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${name.padEnd(11)}${seconds.padStart(5)} s  ${words}`);
}

async function buildPlugins(): Promise<string> {
  const { buildPlugins } = await import("./wasm-plugins/build.ts");
  await Deno.mkdir(PLUGINS, { recursive: true });
  const files = await buildPlugins(PLUGINS);
  const stale = pluginFiles().filter((name) => !files.includes(`${PLUGINS}/${name}`));
  for (const name of stale) await Deno.remove(`${PLUGINS}/${name}`);
  return `dist/plugins/: ${pluginFiles().join(" ")}`;
}

/** Names of the assets, in the order in which the executable has them. */
let assets: string[] = [];

async function buildAssets(): Promise<string> {
  const { buildComponentAssets } = await import("./core/plugin/component/build_assets.ts");
  const { buildModuleSources } = await import("./core/kernel/module_sources.ts");
  const { buildPluginManuals } = await import("./cli/plugin_manuals.ts");
  assets = buildComponentAssets(ASSETS);
  assets.push(buildModuleSources(ASSETS), await buildTemplates());
  for (const name of pluginFiles()) await Deno.copyFile(`${PLUGINS}/${name}`, `${ASSETS}/${name}`);
  assets.push(...pluginFiles());
  const names = pluginFiles().map((file) => file.replace(/\.wasm$/, ""));
  assets.push(buildPluginManuals(ASSETS, names));
  const bytes = assets.reduce((sum, name) => sum + assetBytes(name), 0);
  return `dist/assets/: ${assets.length} files, ${Math.round(bytes / 1000)} kB`;
}

/** What `plugin new` writes, as one asset; its name. */
async function buildTemplates(): Promise<string> {
  const { LANGUAGES } = await import("./wasm-plugins/templates/languages.ts");
  const { templateFolders } = await import("./wasm-plugins/templates/expand.ts");
  const { templateFiles } = await import("./wasm-plugins/templates/files.ts");
  const folders = templateFolders(LANGUAGES).map((path) => [path, templateFiles(path)]);
  const text = JSON.stringify(Object.fromEntries(folders));
  await Deno.writeTextFile(`${ASSETS}/${TEMPLATES}`, text);
  return TEMPLATES;
}

function assetBytes(name: string): number {
  return Deno.statSync(`${ASSETS}/${name}`).size;
}

async function manual(): Promise<string> {
  const { manPages } = await import("./cli/man_pages.ts");
  await Deno.mkdir(MANUAL, { recursive: true });
  const pages = manPages();
  for (const { name, text } of pages) await Deno.writeTextFile(`${MANUAL}/${name}`, text);
  return `dist/man/man1/: ${pages.length} pages`;
}

type Output = esbuild.Metafile["outputs"][string];

async function bundle(): Promise<string> {
  // Fetches what the program imports, so that its files can be resolved below.
  deno(["cache", "--quiet", ENTRY]);
  const { metafile } = await esbuild.build({
    entryPoints: [ENTRY],
    outfile: PROGRAM,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "esnext",
    // Names and lines stay, so that a stack trace can be read.
    minifySyntax: true,
    banner: { js: MODULE_LINE },
    define: { "import.meta.url": "moduleUrl", "import.meta.workerAhead": "workerAhead" },
    metafile: true,
    plugins: [npmPackages, lazyNodeModules, pluginsInside, assetsInside, templatesInside],
  }).finally(() => esbuild.stop());
  const [{ imports, exports }] = Object.values(metafile.outputs) as [Output];
  if (imports.length + exports.length > 0) {
    throw new Error("cannot make one file of the program: it imports or exports something");
  }
  return `dist/sandblock.js: ${Math.round(Deno.statSync(PROGRAM).size / 1000)} kB`;
}

/** `deno compile`, whose runtime denort is not in the npm package of Deno. */
function compile(): string {
  const [first, ...flags] = RUN;
  const included = assets.flatMap((name) => ["--include", `${ASSETS}/${name}`]);
  deno(["compile", "--quiet", first!, ...flags, ...included, "--output", NEW_EXECUTABLE, PROGRAM]);
  return "dist/sandblock, made by deno compile";
}

/** Arguments of Deno that run a module. */
const RUN_MODULE = ["run", ...RUN, "--ext=js"];

/** A copy of this Deno with the program inside. */
async function selfrun(): Promise<string> {
  const { ATTACH_IN_BACKGROUND: background } = await import("./cli/kernel/attach_background.ts");
  const { willServe } = await import("./cli/ahead.ts");
  const { startWorker } = await import("./core/control/reactor_worker.ts");
  const isInBackground = `Deno.env.get("${background.mark.split("=")[0]}") === "1"`;
  const ahead = `(${willServe})(Deno.args, ${isInBackground}) ? ` +
    `(${startWorker})(import.meta.url) : null`;
  const stub = newStub();
  const script = asScript(Deno.readTextFileSync(PROGRAM));
  const { main, worker } = await codeCaches(script);
  const program = [new TextEncoder().encode(script), main, worker];
  const [scriptLength, mainCache, workerCache] = program.map(({ length }) => length);
  const lengths = { script: scriptLength!, mainCache: mainCache!, workerCache: workerCache! };
  const bytes = pack({
    runtime: Deno.readFileSync(Deno.execPath()),
    stub: stub.bytes,
    attachment: joined([
      ...program,
      ...assets.map((name) => Deno.readFileSync(`${ASSETS}/${name}`)),
    ]),
    program: (offset) => loader(offset, lengths, ahead),
    runtimeArguments: RUN_MODULE,
    addedVariables: ADDED,
    droppedPrefixes: DROPPED,
    background,
  });
  Deno.writeFileSync(NEW_EXECUTABLE, bytes, { mode: 0o755 });
  return `dist/sandblock, self-running form, stub by ${stub.compiler}`;
}

/** What V8 makes of the program when it serves a disk to one client. */
async function codeCaches(script: string): Promise<CodeCaches> {
  const directory = Deno.makeTempDirSync({ prefix: "sandblock-build-" });
  const socket = `${directory}/socket`;
  try {
    return await makeCodeCaches(script, {
      runtime: Deno.execPath(),
      runtimeArguments: RUN_MODULE,
      assets: ASSETS,
      args: ["serve", "--unix", socket, "memory", "1M"],
      async exercise(server) {
        await useDisk(socket);
        server.kill("SIGTERM");
      },
    });
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** What `connect` gives when there is somebody to connect to. A socket is there a moment before. */
async function listening<T>(connect: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + 20_000;;) {
    try {
      return await connect();
    } catch (error) {
      if (Date.now() > end) throw new Error("cannot run the program once: it does not listen");
      const { NotFound, ConnectionRefused } = Deno.errors;
      if (!(error instanceof NotFound || error instanceof ConnectionRefused)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Waits for a server on `socket` and does with its disk what most clients do. */
async function useDisk(socket: string): Promise<void> {
  const { WireClient } = await import("./tests/support/wire_client.ts");
  await using client = await listening(() => WireClient.connect(socket));
  await client.negotiate({});
  await client.write(0, new Uint8Array(4096).fill(1));
  await client.read(0, 8192);
}

function joined(parts: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function newStub(): Stub {
  try {
    const stub = compileStub();
    if (stub !== null) return stub;
  } catch (error) {
    console.warn(`${(error as Error).message}; taking the checked-in stub`);
  }
  const { bytes, compiler } = checkedInStub();
  return { bytes, compiler: `${compiler}, as checked in` };
}

/** Runs the new executable once, in an empty environment, before it takes the place of the old. */
function check(): string {
  const { success, stdout, stderr } = new Deno.Command(NEW_EXECUTABLE, {
    args: ["--version"],
    clearEnv: true,
  }).outputSync();
  const text = new TextDecoder();
  const version = text.decode(stdout).trim();
  if (!success || !version.includes(config.version)) {
    throw new Error(
      `cannot use the new executable: --version says "${version}" ${text.decode(stderr)}`,
    );
  }
  // Works while the old one runs, which could not be written to.
  Deno.renameSync(NEW_EXECUTABLE, EXECUTABLE);
  return `dist/sandblock --version: ${version}`;
}

/** Which form to make: the one asked for, else the one that this machine has all for. */
function chosenForm(args: string[]): "compile" | "selfrun" {
  if (args.length === 0) return hasDenort() ? "compile" : "selfrun";
  if (args.length === 1 && args[0] === "--form=compile") return "compile";
  if (args.length === 1 && args[0] === "--form=selfrun") return "selfrun";
  throw new Error(`cannot use "${args.join(" ")}"; use --form=compile, --form=selfrun or nothing`);
}

/** Whether `deno compile` finds its runtime without a download. */
function hasDenort(): boolean {
  if (Deno.env.get("DENORT_BIN")) return true;
  const { denoDir } = JSON.parse(deno(["info", "--json"]));
  const { version: { deno: version }, build: { target } } = Deno;
  return exists(`${denoDir}/dl/release/v${version}/denort-${target}.zip`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Runs this Deno; its output. Throws with what it said when it fails. */
function deno(args: string[]): string {
  const run = new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).outputSync();
  const text = new TextDecoder();
  if (!run.success) throw new Error(`cannot ${args[0]}: ${text.decode(run.stderr).trim()}`);
  return text.decode(run.stdout);
}

function pluginFiles(): string[] {
  return [...Deno.readDirSync(PLUGINS)].map(({ name }) => name)
    .filter((name) => name.endsWith(".wasm")).sort();
}

/** Finds the npm packages named in deno.json where Deno keeps them. */
const npmPackages: esbuild.Plugin = {
  name: "npm-packages",
  setup(build) {
    build.onResolve({ filter: /^[a-z@][^:]*$/ }, ({ path, kind }) => {
      if (kind === "entry-point") return null;
      const main = decodeURIComponent(new URL(import.meta.resolve(path)).pathname);
      // Its form for browsers is in modules, of which only what is used gets in.
      if (path === "yaml") return { path: main.replace(/\/dist\//, "/browser/dist/") };
      return { path: main };
    });
  },
};

/**
 * Loads each `node:` module when something of it is first used. Loading all that commander imports
 * would take longer than starting Deno does, in every worker too. node:events, of which commander
 * inherits at once, is replaced by as much of it as commander needs.
 */
const lazyNodeModules: esbuild.Plugin = {
  name: "lazy-node-modules",
  setup(build) {
    build.onResolve({ filter: /^node:events$/ }, () => {
      return { path: `${ROOT}/cli/declare/event_emitter.ts` };
    });
    build.onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "node" }));
    build.onLoad({ filter: /.*/, namespace: "node" }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((name) => name !== "default");
      const load = path === "node:process" ? "process" : `process.getBuiltinModule("${path}")`;
      return {
        contents: `let module;
          const load = () => module ??= globalThis.${load};
          for (const name of ${JSON.stringify(names)}) {
            Object.defineProperty(exports, name, { enumerable: true, get: () => load()[name] });
          }`,
      };
    });
  },
};

/**
 * Has wasm-plugins/bundled.ts, which reads dist/plugins/, take plugins from the assets: in the program
 * itself they would be read at every start.
 */
const pluginsInside: esbuild.Plugin = {
  name: "plugins-inside",
  setup(build) {
    build.onLoad({ filter: /\/wasm-plugins\/bundled\.ts$/ }, () => ({
      contents: `import { readAsset } from "../core/assets.ts";
        const names = ${JSON.stringify(pluginFiles().map((file) => file.replace(/\.wasm$/, "")))};
        export const bundledPluginNames = () => [...names];
        export const bundledPlugin = (name) =>
          names.includes(name) ? readAsset(name + ".wasm") : null;`,
      resolveDir: `${ROOT}/wasm-plugins`,
    }));
  },
};

/** Has wasm-plugins/templates/files.ts, which reads what `plugin new` writes, take it from the assets. */
const templatesInside: esbuild.Plugin = {
  name: "templates-inside",
  setup(build) {
    build.onLoad({ filter: /\/wasm-plugins\/templates\/files\.ts$/ }, () => ({
      contents: `import { readAsset } from "../../core/assets.ts";
        let folders = null;
        export const templateFiles = (path) => {
          folders ??= JSON.parse(new TextDecoder().decode(readAsset("${TEMPLATES}")));
          return folders[path] ?? {};
        };`,
      resolveDir: `${ROOT}/wasm-plugins/templates`,
    }));
  },
};

/** Has core/assets.ts read from this executable, or from files beside the program. */
const assetsInside: esbuild.Plugin = {
  name: "assets-inside",
  setup(build) {
    build.onLoad({ filter: /\/core\/assets\.ts$/ }, () => {
      const table: Record<string, [number, number]> = {};
      let at = 0;
      for (const name of assets) {
        table[name] = [at, assetBytes(name)];
        at += assetBytes(name);
      }
      return {
        contents: `const table = ${JSON.stringify(table)};
          export function readAsset(name) {
            const [at, length] = table[name];
            if (assetsAt === null) return Deno.readFileSync(new URL("assets/" + name, moduleUrl));
            const file = Deno.openSync("/proc/self/exe");
            try {
              file.seekSync(assetsAt + at, Deno.SeekMode.Start);
              const bytes = new Uint8Array(length);
              for (let end = 0; end < length;) {
                const count = file.readSync(bytes.subarray(end));
                if (count === null) throw new Error("cannot read " + name + ": the executable is cut short");
                end += count;
              }
              return bytes;
            } finally {
              file.close();
            }
          }`,
      };
    });
  },
};

try {
  await main(Deno.args);
} catch (error) {
  console.error(`build: error: ${(error as Error).message}`);
  Deno.exit(1);
}
