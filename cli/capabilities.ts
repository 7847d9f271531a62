// SPDX-License-Identifier: MIT
// What a plugin asks to be allowed and what it was, as text.

import { CAPABILITIES, type CapabilityRequest } from "../core/plugin/capabilities.ts";
import { grantForm, type Grants } from "../core/plugin/grants.ts";
import { columns } from "./declare/text.ts";

/** A section about `requests`; empty where there are none. `grants`: null where nobody has said. */
export function capabilityLines(
  requests: readonly CapabilityRequest[],
  grants: Grants | null,
): string[] {
  if (requests.length === 0) return [];
  const rows = requests.map((request): [string, string] => {
    const facts = [`to ${CAPABILITIES[request.name]}`];
    if (request.description !== "") facts.push(request.description.replace(/\.$/, ""));
    if (grants !== null) facts.push(grantedText(request, grants));
    return [grantForm(request.name), `${facts.join("; ")} (${need(request)})`];
  });
  return ["", "Asks to be allowed (--allow)", ...columns(rows, 18)];
}

/** `required` or `optional`. */
export function need({ required }: CapabilityRequest): string {
  return required ? "required" : "optional";
}

function grantedText({ name }: CapabilityRequest, grants: Grants): string {
  if (name === "read" || name === "write") {
    const paths = grants.files.filter(({ write }) => write === (name === "write"));
    return paths.length === 0
      ? "not allowed"
      : `allowed for ${paths.map(({ path }) => path).join(", ")}`;
  }
  if (name === "net") {
    const places = grants.net.map(({ host, port }) => `${host}:${port}`);
    return places.length === 0 ? "not allowed" : `allowed to ${places.join(", ")}`;
  }
  return grants[name] ? "allowed" : "not allowed";
}
