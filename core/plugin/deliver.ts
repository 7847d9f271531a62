// SPDX-License-Identifier: MIT
// Hands parameters to a plugin: numbers as numbers, everything else as bytes (ABI, "Parameters").

import { withBytes } from "./allocate.ts";
import type { PluginCalls } from "./calls.ts";
import type { Host } from "./host.ts";
import type { ParameterValue } from "./parameters.ts";

/**
 * Delivers one parameter, for which check.ts has seen to it that there is a function. Returns what the
 * plugin says is wrong with it; "" if nothing is.
 */
export function deliver(host: Host, calls: PluginCalls, parameter: ParameterValue): string {
  const { sb_param_int: paramInt, sb_param_bytes: paramBytes } = calls;
  const { index } = parameter;
  const number = numberOf(parameter);
  if (number !== null) {
    host.control("sb_param_int", () => paramInt!(index, number));
    return host.errorText;
  }
  let text = "";
  for (const bytes of bytesOf(parameter)) {
    withBytes(host, bytes, (pointer) => {
      host.control("sb_param_bytes", () => paramBytes!(index, pointer, bytes.length));
      text ||= host.errorText;
    });
  }
  return text;
}

/** What sb_param_int gets for `parameter`; null where it is not a number. */
function numberOf(parameter: ParameterValue): bigint | null {
  switch (parameter.type) {
    case "int":
    case "size":
    case "duration":
    case "percentage":
      return parameter.value;
    case "bool":
      return parameter.value ? 1n : 0n;
    case "enum":
      return BigInt(parameter.position);
    default:
      return null;
  }
}

/** What sb_param_bytes gets for `parameter`, in one call for each element. */
function bytesOf(parameter: ParameterValue): Uint8Array[] {
  switch (parameter.type) {
    case "secret":
    case "file":
      return [parameter.value];
    case "list":
      return parameter.value.map((element) => new TextEncoder().encode(element));
    default:
      return [new TextEncoder().encode(String(parameter.value))];
  }
}
