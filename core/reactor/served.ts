// SPDX-License-Identifier: MIT
// A device on its reactor as clients get it: under which name, read-only or not, under which policy.

import type { Device } from "../block/device.ts";
import { BlockError, Errno } from "../block/errno.ts";
import type { DeviceOptions } from "../control/options.ts";
import type { LogLevel } from "../plugin/instance.ts";
import { connectionFacts } from "../policy/connection.ts";
import { Guard, PolicyInstance } from "../policy/guard.ts";
import type { Policy } from "../policy/loaded.ts";
import { coarseMs } from "../../native/file_data.ts";
import { BoundDirectory } from "./bound_directory.ts";
import { DeviceContext } from "./device_context.ts";
import type { DeviceStart } from "./messages.ts";
import { Profile } from "./profile.ts";

/** How far a device is with what it had put off until the end. */
export const Finish = { Done: 0, GettingOn: 1, Waiting: 2 } as const;

/** That exports cannot be opened is told at most so often. */
const REFUSAL_INTERVAL_MS = 1000;

/** See the top of this file. */
export class Served {
  readonly context: DeviceContext;
  /** What clients call its default export; undefined: as the device does. */
  readonly name: string | undefined;
  /** What the device was made of. */
  readonly options: DeviceOptions;
  readonly #readOnly: boolean;
  readonly #log: (level: LogLevel, text: string) => void;
  /** What counts requests; null where nothing does. */
  readonly profile: Profile | null;
  #policy: PolicyInstance | null = null;
  #finishSteps = 0;
  #refusedMs = coarseMs() - REFUSAL_INTERVAL_MS;

  constructor(
    device: Device,
    start: DeviceStart,
    inflightBytesMax: number,
    log: (level: LogLevel, text: string) => void,
  ) {
    this.context = new DeviceContext(device, inflightBytesMax);
    this.name = start.exportName;
    this.options = start.device;
    this.profile = start.profile ? new Profile() : null;
    this.#readOnly = start.readOnly;
    this.#log = log;
    this.usePolicy(start.policy);
  }

  /** Its exports for the client `peer`. */
  directory(peer: string): BoundDirectory {
    const { name: alias, context, profile } = this;
    const refused = (why: string) => this.#logRefusal(`${peer}: ${why}`);
    const binding = { readOnly: this.#readOnly, peer, alias, refused, profile };
    return new BoundDirectory(context.device, binding);
  }

  /** Clients may ask for whatever they like as often as they like. */
  #logRefusal(text: string): void {
    const now = coarseMs();
    const isSoon = (now - this.#refusedMs) >>> 0 < REFUSAL_INTERVAL_MS;
    if (!isSoon) this.#refusedMs = now;
    this.#log(isSoon ? "debug" : "warning", text);
  }

  /** The same, of which only the default export counts. Throws BlockError where there is none. */
  onlyExport(peer: string): BoundDirectory {
    if (this.context.device.defaultExport() !== null) return this.directory(peer);
    throw new BlockError(
      Errno.ENOENT,
      `cannot open the export "${this.name}": its device has several and none by default`,
    );
  }

  /** Decides about requests by `policy` from now on; those of clients that are there need new guards. */
  usePolicy(policy: Policy | null): void {
    this.#policy = policy && new PolicyInstance(policy, this.#log);
  }

  /** What is asked about each request that `peer` makes of `exportName`; null for nothing. */
  guard(exportName: string, peer: string): Guard | null {
    const policy = this.#policy;
    return policy && new Guard(policy, connectionFacts(peer, exportName), peer);
  }

  /** Whether something is under way that will come to an end without a client. */
  get isWaiting(): boolean {
    return this.context.pending > 0 || this.context.device.busy;
  }

  /** Hands requests over and collects those that are finished. Whether there were any. */
  work(): boolean {
    this.#policy?.tick();
    if (!this.isWaiting) return false;
    const { context } = this;
    const { device } = context;
    const before = context.pending;
    device.submitQueued();
    device.reap();
    // What is finished may have a next step, which nothing else would hand over before a sleep.
    device.submitQueued();
    return context.pending < before;
  }

  /** Lets the device do what it has put off, which takes as many calls as it takes. */
  finish(): typeof Finish[keyof typeof Finish] {
    const { device } = this.context;
    const steps = device.finish();
    if (steps < 0 && !device.busy) return Finish.Done;
    if (steps <= this.#finishSteps) return Finish.Waiting;
    this.#finishSteps = steps;
    return Finish.GettingOn;
  }
}
