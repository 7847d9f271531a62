// SPDX-License-Identifier: MIT
// What a user allows a plugin, from text such as `read=/images` (docs/sandbox.md). Nothing is allowed
// that was not granted, and nothing can be granted that the plugin has not asked for.

import { BlockError, Errno } from "../block/errno.ts";
import {
  CAPABILITIES,
  type Capability,
  type CapabilityRequest,
  isCapability,
} from "./capabilities.ts";
import { ParameterError } from "./errors.ts";
import type { Manifest } from "./manifest.ts";
import { absolutePath } from "./path.ts";
import { didYouMean } from "./suggest.ts";
import { quoted } from "./text.ts";

/** Grants that one plugin may get. */
const GRANTS_MAX = 64;

/** A file, or a directory with everything below it. */
export interface FileGrant {
  /** From the root. */
  path: string;
  write: boolean;
}

/** A port of another machine. */
export interface NetGrant {
  /** A name or a numeric address. */
  host: string;
  port: number;
}

/** All that one plugin was granted. Plain data, which can be sent to another thread. */
export interface Grants {
  readonly files: readonly FileGrant[];
  readonly net: readonly NetGrant[];
  readonly clock: boolean;
  readonly random: boolean;
  readonly logging: boolean;
}

/** What a plugin gets unless somebody grants more. */
export const NO_GRANTS: Grants = {
  files: [],
  net: [],
  clock: false,
  random: false,
  logging: false,
};

/** How `capability` is granted on a command line, behind `--allow`. */
export function grantForm(capability: Capability): string {
  if (capability === "read" || capability === "write") return `${capability}=DIR`;
  return capability === "net" ? "net=HOST:PORT" : capability;
}

/**
 * The grants in `texts`: `read=PATH`, `write=PATH`, `net=HOST:PORT`, `clock`, `random`, `logging`. A
 * relative path starts at `directory`, the current one when absent. Throws ParameterError, one sentence
 * about one text.
 */
export function parseGrants(texts: readonly string[], directory = Deno.cwd()): Grants {
  if (texts.length > GRANTS_MAX) {
    throw new ParameterError(`cannot allow ${texts.length} things: ${GRANTS_MAX} are possible`);
  }
  const files: FileGrant[] = [];
  const net: NetGrant[] = [];
  const plain = { clock: false, random: false, logging: false };
  for (const text of texts) {
    const equals = text.indexOf("=");
    const name = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? null : text.slice(equals + 1);
    const refuse = (fact: string) => new ParameterError(`cannot allow ${quoted(text)}: ${fact}`);
    if (!isCapability(name)) {
      const words = Object.keys(CAPABILITIES);
      throw refuse(
        `there is no capability ${quoted(name)}` +
          (didYouMean(name, words) || `; they are ${words.join(", ")}`),
      );
    }
    if (name === "net") net.push(parseNet(value, refuse));
    else if (name === "read" || name === "write") {
      if (!value) throw refuse(`it lacks the directory or file, as in ${name}=/srv/images`);
      if (value.includes("\0")) throw refuse("a path has no NUL");
      files.push({ path: absolutePath(directory, value), write: name === "write" });
    } else if (value !== null) throw refuse(`"${name}" takes no value`);
    else if (name === "clock" || name === "random" || name === "logging") plain[name] = true;
  }
  return { files, net, ...plain };
}

/** `grants` as the texts that `parseGrants` reads. */
export function grantTexts(grants: Grants): string[] {
  const { files, net } = grants;
  const host = ({ host }: NetGrant) => host.includes(":") ? `[${host}]` : host;
  return [
    ...files.map(({ path, write }) => `${write ? "write" : "read"}=${path}`),
    ...net.map((one) => `net=${host(one)}:${one.port}`),
    ...(["clock", "random", "logging"] as const).filter((name) => grants[name]),
  ];
}

function parseNet(value: string | null, refuse: (fact: string) => Error): NetGrant {
  const parts = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(value ?? "");
  const port = Number(parts?.[3] ?? 0);
  if (parts === null || port < 1 || port > 65535) {
    throw refuse("it lacks the host and port, as in net=example.org:10809");
  }
  return { host: parts[1] ?? parts[2]!, port };
}

/** `grants` together with what a plugin that comes with sandblock gets unasked: what harms nobody. */
export function bundledGrants({ node }: Manifest, grants: Grants): Grants {
  const asked = (name: Capability) => node?.capabilities.some((one) => one.name === name) ?? false;
  return {
    ...grants,
    clock: grants.clock || asked("clock"),
    random: grants.random || asked("random"),
    logging: grants.logging || asked("logging"),
  };
}

/** Whether `grants` say anything about `capability`. To write includes to read. */
export function isGranted(grants: Grants, capability: Capability): boolean {
  switch (capability) {
    case "read":
      return grants.files.length > 0;
    case "write":
      return grants.files.some(({ write }) => write);
    case "net":
      return grants.net.length > 0;
    case "clock":
    case "random":
    case "logging":
      return grants[capability];
  }
}

/** Whether a plugin asks for `capability`; one that asks to write may also be allowed to read only. */
export function isAsked({ node }: Manifest, capability: Capability): boolean {
  return asks(node?.capabilities ?? [], capability);
}

function asks(requests: readonly CapabilityRequest[], capability: Capability): boolean {
  return requests.some(({ name }) => {
    return name === capability || (name === "write" && capability === "read");
  });
}

/**
 * Checks that `grants` are what the plugin has asked for, all that it needs and nothing else.
 * `flag` is how something is granted: `--allow `. Throws BlockError, EPERM.
 */
export function checkGrants(manifest: Manifest, grants: Grants, flag = "--allow "): void {
  const requests = manifest.node?.capabilities ?? [];
  const { name } = manifest;
  for (const capability of Object.keys(CAPABILITIES) as Capability[]) {
    const unasked = capability === "read"
      ? grants.files.some(({ write }) => !write) && !asks(requests, "read")
      : isGranted(grants, capability) && !asks(requests, capability);
    if (!unasked) continue;
    const names = requests.map((request) => request.name).join(", ");
    throw new BlockError(
      Errno.EPERM,
      `cannot allow "${name}" to ${CAPABILITIES[capability]}: it does not ask for that; ` +
        `it asks for ${names || "nothing"}`,
    );
  }
  for (const request of requests) {
    if (!request.required || isGranted(grants, request.name)) continue;
    const what = request.description === "" ? "" : ` (${request.description})`;
    throw new BlockError(
      Errno.EPERM,
      `cannot start "${name}": it has to ${CAPABILITIES[request.name]}${what}, ` +
        `which nobody has allowed; add ${flag}${grantForm(request.name)}`,
    );
  }
}
