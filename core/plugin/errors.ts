// SPDX-License-Identifier: MIT
// Errors of the plugin host that somebody catches. Their messages are facts without a subject, so
// that the caller can say `cannot load plugin "x": <message>`.

/** A file that is not a plugin, or not one that this sandblock can run. */
export class PluginError extends Error {
  override readonly name = "PluginError";
}

/** A parameter that a plugin or backend does not have, or a value that does not fit it. */
export class ParameterError extends Error {
  override readonly name = "ParameterError";
  /** Name of the parameter whose value it is about, where it is about one. */
  parameter?: string;
}
