// SPDX-License-Identifier: MIT
// What is checked: a prepared plugin with its parameters, and how an instance of it is made, a filter
// above model devices.

import { BLOCK_SIZE_DEFAULT, type BlockSize } from "../block/export.ts";
import type { Device } from "../block/device.ts";
import { GrantedFiles } from "../backend/granted_files.ts";
import { GrantedStreams } from "../backend/granted_streams.ts";
import { HostMemory } from "../backend/host_memory.ts";
import type { Grants } from "../plugin/grants.ts";
import { PoolDevice } from "../plugin/blocking/pool.ts";
import { PluginDevice, type PluginOptions } from "../plugin/instance.ts";
import { PLAIN_NODE } from "../plugin/manifest_node.ts";
import type { Manifest } from "../plugin/manifest.ts";
import type { ParameterValue } from "../plugin/parameters.ts";
import { type PreparedPlugin, preparePlugin } from "../plugin/prepare.ts";
import type { Watch } from "../plugin/watch.ts";
import { memoryRelease } from "../reactor/memory_release.ts";
import { ModelDevice } from "./model_device.ts";
import { ModelDisk } from "./model_disk.ts";
import { Random } from "./random.ts";
import { Session } from "./session.ts";

/** Size of a disk below a filter, unless there is something for it to hold. */
const BELOW_BYTES = 1024 * 1024;

/**
 * What becomes of a write that succeeds: it is kept, or dropped, so that the device never changes; or
 * only the bytes that are there already may be written.
 */
export const WRITES = ["keep", "drop", "same"] as const;
export type Writes = typeof WRITES[number];

/** What is asked for; it can be sent with `postMessage`. */
export interface CheckOptions {
  /** The plugin file. */
  bytes: Uint8Array;
  values: ParameterValue[];
  writes: Writes;
  /** Where random numbers begin, 1 to 2^32-1. */
  seed: number;
  /** Random operations in each check that makes some. */
  operations: number;
  /** Names of checks to leave out. */
  skip: readonly string[];
  /** What the disks below a filter hold; null: random bytes. */
  image: Uint8Array | null;
  /** How many devices there are below a filter; null: as few as possible, but two where it takes two. */
  children: number | null;
  /** What it may use beyond its own memory; absent: nothing. */
  grants?: Grants;
  /**
   * Deadlines of calls: one for each instance at a time, of which there are at most INSTANCES_MAX; then,
   * for plugins whose calls wait, POOL_MAX for each of them.
   */
  watches: readonly Watch[];
}

/** Instances of the plugin that are there at the same time. */
export const INSTANCES_MAX = 2;
/** Where calls wait, so many instances answer the requests of what is one otherwise. */
const POOL_MAX = 4;
/** Watches that there are for all of them. */
export const WATCHES_MAX = INSTANCES_MAX * (1 + POOL_MAX);

/** How an instance differs from the usual. */
export interface StartOptions {
  values?: readonly ParameterValue[];
  /** Bytes of memory it may have; absent: what it asks for. */
  memoryMaximum?: number;
  /** Below a filter: see ModelBehaviour. */
  late?: boolean;
  readOnly?: boolean;
  plain?: boolean;
  blockSize?: BlockSize;
  /** Disks that are there already. */
  disks?: readonly ModelDisk[];
  /** Which watch it takes, from 0, and how many instances there are. */
  index?: number;
  instances?: number;
}

/** See the top of this file. */
export class Subject {
  readonly manifest: Manifest;
  readonly prepared: PreparedPlugin;
  readonly childCount: number;

  /** Throws PluginError. */
  constructor(readonly options: CheckOptions) {
    this.prepared = preparePlugin(options.bytes);
    this.manifest = this.prepared.manifest;
    const { children } = this.manifest.node ?? PLAIN_NODE;
    const fewest = children === null
      ? 0
      : Math.max(children.minimum, Math.min(children.maximum, 2));
    this.childCount = options.children ?? fewest;
  }

  get isFilter(): boolean {
    return this.manifest.kind === "filter";
  }

  /** Disks to put below a filter, all of which hold the same. */
  disks(): ModelDisk[] {
    const { image, seed } = this.options;
    const size = image === null ? BELOW_BYTES : Math.ceil(image.length / 512) * 512;
    return Array.from({ length: this.childCount }, () => {
      if (image !== null) return new ModelDisk(size, image);
      const contents = new Random(seed).bytes(size);
      // Holes of several sizes.
      for (const [from, to] of [[0x8000, 0xa000], [0x40000, 0x60000], [0xff000, 0xfffff]]) {
        contents.fill(0, from, to! + 1);
      }
      return new ModelDisk(size, contents);
    });
  }

  /** Starts an instance. Throws BlockError where it does not start. */
  start(options: StartOptions = {}): Session {
    const { memoryMaximum, values = this.options.values, index = 0, instances = 1 } = options;
    const prepared = memoryMaximum === undefined
      ? this.prepared
      : preparePlugin(this.options.bytes, { memoryMaximum });
    const random = new Random(this.options.seed + 1);
    return new Session((log) => {
      const below = (options.disks ?? this.disks()).map((disk) => {
        return new ModelDevice(disk, {
          late: options.late ?? false,
          readOnly: options.readOnly ?? false,
          plain: options.plain ?? false,
          blockSize: options.blockSize ?? BLOCK_SIZE_DEFAULT,
        }, random);
      });
      const { grants } = this.options;
      const files = grants !== undefined && grants.files.length > 0
        ? new GrantedFiles(grants.files, { log: (_level, text) => log(text) })
        : null;
      const streams = grants !== undefined && grants.net.length > 0
        ? new GrantedStreams(grants.net)
        : null;
      try {
        const from = INSTANCES_MAX + index * POOL_MAX;
        const watches = this.options.watches.slice(from, from + POOL_MAX);
        const device = createDevice(prepared, values, watches, {
          ...grants !== undefined && { grants },
          ...files !== null && { files },
          ...streams !== null && { streams },
          watch: this.options.watches[index]!,
          log: (level, text) => {
            if (level === "error") log(text);
          },
          instances,
          children: below,
          memoryRelease,
        });
        return { device, below };
      } catch (error) {
        files?.close();
        streams?.close();
        for (const one of below) one.close();
        throw error;
      }
    });
  }
}

/** What the plugin is served by: an instance, or several where its calls wait. */
function createDevice(
  prepared: PreparedPlugin,
  values: readonly ParameterValue[],
  watches: readonly Watch[],
  options: PluginOptions,
): Device {
  if (prepared.manifest.threads !== "blocking") {
    return PluginDevice.create(prepared, values, options);
  }
  const hostMemory = new HostMemory();
  try {
    const more = { watches, restart: "fail", hostMemory } as const;
    return PoolDevice.create(prepared, values, { ...options, ...more });
  } catch (error) {
    hostMemory.close();
    throw error;
  }
}
