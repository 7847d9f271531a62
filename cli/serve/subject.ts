// SPDX-License-Identifier: MIT
// What a server serves: the device that a command line describes, or what a configuration file says.

import type {
  DeviceOffer,
  ExportsOffer,
  Server,
  ServerOptions,
} from "../../core/control/options.ts";
import { isParallel } from "../../core/graph/nodes.ts";
import { UsageError } from "../errors.ts";
import type { Log } from "../log.ts";
import { prepareDevice } from "./device.ts";
import type { ServeValues } from "./options.ts";
import { planServe, type ServicePlan, type Surroundings } from "./plan.ts";
import { loadServedPolicy, reloadPolicy } from "./policy.ts";

/** See the top of this file. */
export interface Subject {
  /** For messages. */
  name: string;
  /** What --run commands are told that it is called. */
  exportName: string;
  plan: ServicePlan;
  /** Reads all that is needed to start. Throws Error with one sentence. */
  offer(log: Log): DeviceOffer | ExportsOffer;
  /** What SIGHUP asks for; null where there is nothing to read again. */
  reload: ((server: Server, log: Log) => void) | null;
}

/** What `values` and `operands` say. Throws UsageError, and Error for a configuration with faults. */
export async function subjectOf(
  values: ServeValues,
  operands: readonly string[],
  surroundings: Surroundings,
): Promise<Subject> {
  if (values.config === undefined) return pluginSubject(values, operands, surroundings);
  refuseOthers(values, operands);
  // Loads a parser of YAML, which nobody else has use for.
  const { configSubject } = await import("../config/subject.ts");
  return configSubject(values.config, values, surroundings);
}

/** The options of the server itself, for `subject`. */
export function serverOptions(
  subject: Subject,
  offer: DeviceOffer | ExportsOffer,
  listen: ServerOptions["listen"],
): ServerOptions {
  const { plan } = subject;
  return { ...plan, ...offer, listen };
}

function pluginSubject(
  values: ServeValues,
  operands: readonly string[],
  surroundings: Surroundings,
): Subject {
  const plan = planServe(values, operands, surroundings);
  const { exportName, readOnly, policy: path } = plan;
  return {
    name: plan.plugin,
    exportName: exportName ?? "",
    plan,
    offer(log) {
      const device = prepareDevice(plan);
      if (typeof plan.threads === "number" && plan.threads > 1 && !isParallel(device)) {
        log("warning", `cannot use ${plan.threads} threads for ${plan.plugin}: one serves it`);
      }
      const policy = path === undefined ? null : loadServedPolicy(path, log);
      return { device, readOnly, policy, ...exportName !== undefined && { exportName } };
    },
    reload: path === undefined ? null : (server, log) => reloadPolicy(path, server, log),
  };
}

/** Everything about what is served stands in the file. */
function refuseOthers(values: ServeValues, [operand]: readonly string[]): void {
  const why = "what is served stands in the file";
  if (operand !== undefined) {
    throw new UsageError(`cannot serve "${operand}" together with --config: ${why}`);
  }
  for (const key of ["filter", "exportname", "policy", "allow", "restart"] as const) {
    if (values[key] === undefined) continue;
    throw new UsageError(`cannot use --config together with --${key}: ${why}`);
  }
}
