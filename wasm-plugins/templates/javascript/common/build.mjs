// Makes a component out of main.js: node build.mjs OUTPUT. Started by make, with what it needs from npm.

import { readFile, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";

// What npx has put into PATH says where the packages are.
const bin = process.env.PATH.split(delimiter).find((path) => path.endsWith("/node_modules/.bin"));
if (bin === undefined) throw new Error("cannot find the packages: start this by make");

async function load(name) {
  const folder = join(bin, "..", name);
  const { exports, main } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
  const entry = exports?.["."] ?? exports ?? main;
  const file = typeof entry === "string" ? entry : entry.import ?? entry.default;
  const module = await import(pathToFileURL(join(folder, file)));
  return module.default ?? module;
}

const { build } = await load("esbuild");
const { componentize } = await load("@bytecodealliance/componentize-js");

const { outputFiles: [{ text }] } = await build({
  entryPoints: ["main.js"],
  bundle: true,
  write: false,
  format: "esm",
  target: "es2022",
  external: ["sandblock:*"],
});
const wit = await readFile(new URL("sandblock/sandblock.wit", import.meta.url), "utf8");
const { component } = await componentize(text, wit, {
  worldName: "plugin",
  // Nothing of the outside world is there, so none of it is imported. Where the user grants `clock` or
  // `random`, which manifest.json asks for, leave "clocks" or "random" out here.
  disableFeatures: ["stdio", "random", "clocks", "http", "fetch-event"],
});
await writeFile(process.argv[2], component);
