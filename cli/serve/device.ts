// SPDX-License-Identifier: MIT
// From the plugin that a command line names and its parameters to a device that can be started.

import type { DeviceOptions } from "../../core/control/options.ts";
import { ParameterError } from "../../core/plugin/errors.ts";
import { type ParameterValue, parseParameters } from "../../core/plugin/parameters.ts";
import { preparePlugin } from "../../core/plugin/prepare.ts";
import { UsageError } from "../errors.ts";
import { findPlugin, type Source, withReason } from "../plugins.ts";
import type { Plan } from "./plan.ts";

/** Finds, checks and compiles the plugin and parses its parameters. Throws Error. */
export function prepareDevice(plan: Plan): DeviceOptions {
  const source = findPlugin(plan.plugin);
  const values = parameterValues(source, plan);
  if (source.kind === "backend") return { kind: "file", values };
  const { pluginMemory } = plan;
  const limits = pluginMemory === undefined ? {} : { memoryMaximum: pluginMemory };
  const prepared = withReason(plan.plugin, () => preparePlugin(source.bytes, limits));
  return { kind: "plugin", prepared, values };
}

function parameterValues({ manifest }: Source, plan: Plan): ParameterValue[] {
  try {
    return parseParameters(manifest.parameters, plan.parameters);
  } catch (error) {
    if (!(error instanceof ParameterError)) throw error;
    throw new UsageError(error.message, `sandblock serve --help ${plan.plugin}`);
  }
}
