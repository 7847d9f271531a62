// SPDX-License-Identifier: MIT
// NBD URIs (doc/uri.md of NetworkBlockDevice/nbd, on RFC 3986), with nbd+vsock, which others have
// too: where an export is to be found, in one line.

import { DEFAULT_PORT, STRING_MAX } from "./wire.ts";

/** What all URIs can have. */
interface UriParts {
  /** Empty for the default export. */
  exportName: string;
  /** For TLS with pre-shared keys; empty unless given. */
  user: string;
  /** Parameters but `socket`, by name: those for TLS, and any that begin with `x-`. */
  parameters: ReadonlyMap<string, string>;
}

/** An export behind TCP, or behind VSOCK, whose hosts are numbers. */
export interface NetworkUri extends UriParts {
  scheme: "nbd" | "nbds" | "nbd+vsock" | "nbds+vsock";
  /** Name or address, without brackets; empty unless given. */
  host: string;
  port: number;
}

/** An export behind a unix socket. */
export interface UnixUri extends UriParts {
  scheme: "nbd+unix" | "nbds+unix";
  /** Path; begins with NUL in the abstract namespace. */
  socket: string;
}

export type NbdUri = NetworkUri | UnixUri;

/** What a URI is made of; what is left out is empty. */
export type NbdUriFields =
  | (Pick<NetworkUri, "scheme" | "host"> & Partial<NetworkUri>)
  | (Pick<UnixUri, "scheme" | "socket"> & Partial<UnixUri>);

const SCHEMES = ["nbd", "nbds", "nbd+unix", "nbds+unix", "nbd+vsock", "nbds+vsock"] as const;
type Scheme = typeof SCHEMES[number];

const SHAPE =
  /^(?<scheme>[^:/?#]*):(?:\/\/(?<authority>[^/?#]*))?(?<path>[^?#]*)(?:\?(?<query>[^#]*))?$/;
const AUTHORITY = /^(?:(?<user>[^@]*)@)?(?<host>\[[^@[\]]*\]|[^:@[\]]*)(?::(?<port>\d*))?$/;
const PORT_MAX = 65535;
/** Hosts and ports of VSOCK are of this size. */
const U32_MAX = 4294967295;

/** Values that a parameter may have; null for any. */
const PARAMETERS = new Map<string, readonly string[] | null>([
  ["tls-type", ["anon", "x509", "psk"]],
  ["tls-verify-peer", ["0", "1"]],
  ["tls-hostname", null],
  ["tls-certificates", null],
  ["tls-psk-file", null],
  ["tls-username", null],
  ["tls-priority", null],
]);

/** Parses an NBD URI. Throws SyntaxError that says what is wrong with it. */
export function parseUri(text: string): NbdUri {
  const fail = failing(text);
  if (!/^[\x21-\x7e]*$/.test(text)) {
    throw fail("it has characters that must be percent-encoded");
  }
  if (text.includes("#")) throw fail('it has a fragment; write "#" as "%23"');
  const shape = SHAPE.exec(text)?.groups;
  const scheme = SCHEMES.find((known) => known === shape?.["scheme"]?.toLowerCase());
  if (shape === undefined || scheme === undefined) {
    throw fail(`it does not begin with one of ${SCHEMES.map((one) => `${one}:`).join(", ")}`);
  }
  const all = parseQuery(shape["query"] ?? "", fail);
  const socket = all.get("socket");
  all.delete("socket");
  checkParameters(all, fail);
  const exportName = parseExportName(shape["path"]!, fail);
  const authority = AUTHORITY.exec(shape["authority"] ?? "")?.groups;
  if (authority === undefined) throw fail(`it has no place "${shape["authority"]}"`);
  const parts = { exportName, user: decode(authority["user"] ?? "", fail), parameters: all };
  if (scheme === "nbd+unix" || scheme === "nbds+unix") {
    if (authority["host"] !== "" || authority["port"] !== undefined) {
      throw fail(
        `a unix socket has no host; write ${scheme}:///${shape["path"]!.slice(1)}?socket=PATH`,
      );
    }
    return { scheme, socket: checkSocket(socket, fail), ...parts };
  }
  if (socket !== undefined) throw fail(`"socket" is for nbd+unix and nbds+unix`);
  return { scheme, ...parsePlace(scheme, authority, fail), ...parts };
}

/** Formats an NBD URI; `parseUri` gives back what it was made of. */
export function formatUri(uri: NbdUriFields): string {
  const { scheme, exportName = "", user = "", parameters = new Map() } = uri;
  const userinfo = user === "" ? "" : `${encode(user, "")}@`;
  const query = [...parameters].map(([name, value]) =>
    `${encode(name, "")}=${encode(value, "/:")}`
  );
  let place = "";
  if ("socket" in uri) query.unshift(`socket=${encode(uri.socket, "/:")}`);
  else {
    const host = uri.host.includes(":") ? `[${encode(uri.host, ":")}]` : encode(uri.host, "");
    place = `${host}:${uri.port ?? DEFAULT_PORT}`;
  }
  const path = exportName === "" && "host" in uri ? "" : `/${encode(exportName, "/:@,")}`;
  const parametersText = query.length === 0 ? "" : `?${query.join("&")}`;
  return `${scheme}://${userinfo}${place}${path}${parametersText}`;
}

type Fail = (fact: string) => SyntaxError;

function failing(text: string): Fail {
  return (fact) => new SyntaxError(`cannot parse NBD URI "${text}": ${fact}`);
}

function parseQuery(query: string, fail: Fail): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const part of query.split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals < 0) throw fail(`parameter "${part}" has no value`);
    const name = decode(part.slice(0, equals), fail);
    if (parameters.has(name)) throw fail(`parameter "${name}" is there twice`);
    parameters.set(name, decode(part.slice(equals + 1), fail));
  }
  return parameters;
}

function checkParameters(parameters: ReadonlyMap<string, string>, fail: Fail): void {
  for (const [name, value] of parameters) {
    if (name.startsWith("x-")) continue;
    const values = PARAMETERS.get(name);
    if (values === undefined) {
      const known = ["socket", ...PARAMETERS.keys()].join(", ");
      throw fail(`parameter "${name}" is not known; use one of ${known}`);
    }
    if (values !== null && !values.includes(value)) {
      throw fail(`parameter "${name}" is "${value}"; use one of ${values.join(", ")}`);
    }
  }
}

function parseExportName(path: string, fail: Fail): string {
  if (path !== "" && !path.startsWith("/")) throw fail('there is no "//" behind the scheme');
  const name = decode(path.slice(1), fail);
  if (name.includes("\0")) throw fail("the export name has a NUL");
  if (new TextEncoder().encode(name).length > STRING_MAX) {
    throw fail(`the export name is longer than ${STRING_MAX} bytes`);
  }
  return name;
}

function checkSocket(socket: string | undefined, fail: Fail): string {
  if (socket === undefined || socket === "") throw fail('parameter "socket" is missing');
  if (socket.indexOf("\0", 1) > 0) throw fail("the path of the socket has a NUL");
  return socket;
}

function parsePlace(
  scheme: Scheme,
  authority: Record<string, string | undefined>,
  fail: Fail,
): { host: string; port: number } {
  const vsock = scheme.endsWith("vsock");
  const max = vsock ? U32_MAX : PORT_MAX;
  const host = decode((authority["host"] ?? "").replace(/^\[|\]$/g, ""), fail);
  if (vsock && !(/^\d+$/.test(host) && Number(host) <= U32_MAX)) {
    throw fail(`"${host}" is no context id; use a number from 0 to ${U32_MAX}`);
  }
  const port = authority["port"] ? Number(authority["port"]) : DEFAULT_PORT;
  if (port > max) throw fail(`port ${authority["port"]} is above ${max}`);
  return { host, port };
}

function decode(text: string, fail: Fail): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fail(`"${text}" is not percent-encoded UTF-8`);
  }
}

/** Percent-encodes all but unreserved characters and those in `keep`. */
function encode(text: string, keep: string): string {
  let encoded = "";
  for (const byte of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9._~-]/.test(character) || keep.includes(character)) encoded += character;
    else encoded += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return encoded;
}
