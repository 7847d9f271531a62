// SPDX-License-Identifier: MIT
// nbd.ko in front of a remote NBD server: the kernel gets the socket, and another one, to the same
// server or to the next, when that is lost. Requests do not come through this process.

import { BLOCK_SIZE_DEFAULT, type BlockSize } from "../block/export.ts";
import { highOf, lowOf } from "../block/uint64.ts";
import type { Agreement } from "../nbd/client.ts";
import { formatUri, type NbdUri } from "../nbd/uri.ts";
import { TransmissionFlag } from "../nbd/wire.ts";
import { closeDescriptor } from "../../native/descriptor.ts";
import { Waiter } from "../../native/waiter.ts";
import type { AttachOptions, Extent, FrontEnd, FrontFacts, FrontLog } from "./front.ts";
import { logicalBlockSize, sizeInBlocks } from "./front.ts";
import { loadModule } from "./modules.ts";
import { makeNbdDevice } from "./nbd_device.ts";
import { nbdFacts } from "./nbd_front.ts";
import type { NbdSource } from "./nbd_links.ts";
import { checkRemote, connectToOne, type RemoteConnection } from "./nbd_remote.ts";
import { readSysfs, writeSysfs } from "./sysfs.ts";

/** What the driver makes use of. */
const KERNEL_FLAGS = TransmissionFlag.HasFlags | TransmissionFlag.ReadOnly |
  TransmissionFlag.SendFlush | TransmissionFlag.SendFua | TransmissionFlag.Rotational |
  TransmissionFlag.SendTrim | TransmissionFlag.SendWriteZeroes | TransmissionFlag.CanMultiConn;
const FOR_WRITING = TransmissionFlag.SendTrim | TransmissionFlag.SendWriteZeroes;
const KIBIBYTE = 1024;

/** Servers of the same export, the one to prefer first. */
export interface Remote {
  servers: readonly NbdUri[];
  readOnly: boolean;
}

const KEEPS_SIZE = "a remote server has it; detach it and attach it anew";

/** Makes an nbd device of a remote export. Rejects with one sentence; nothing is left then. */
export async function attachRemote(remote: Remote, options: AttachOptions): Promise<FrontEnd> {
  for (const uri of remote.servers) checkRemote(uri);
  await loadModule("nbd");
  const waiter = new Waiter();
  const first = await connectToOne(remote.servers, waiter, () => {});
  waiter.stop();
  const source = new RemoteSource(remote, first, options.log);
  try {
    const { facts, flags } = source.settle(options);
    const materials = { facts, flags, source, outlivesPredecessor: true };
    const front = await makeNbdDevice(materials, options);
    limitRequests(front.device.name, first.agreement.blockSize);
    return { ...front, keepsSize: KEEPS_SIZE, server: () => formatUri(source.current) };
  } finally {
    source.closeUnused();
  }
}

/** What the kernel was told. */
interface Terms {
  facts: FrontFacts;
  flags: number;
}

/** Connections to one of several servers. */
class RemoteSource implements NbdSource {
  readonly #remote: Remote;
  readonly #log: FrontLog;
  /** Made to find out what there is, and not used yet. */
  #first: RemoteConnection | null;
  #current: NbdUri;
  #terms: Terms | null = null;

  constructor(remote: Remote, first: RemoteConnection, log: FrontLog) {
    this.#remote = remote;
    this.#log = log;
    this.#first = first;
    this.#current = first.uri;
  }

  /** What the kernel is to be told. Throws Error where that does not do. */
  settle(options: AttachOptions): Terms {
    const { agreement } = this.#first!;
    const flags = kernelFlags(agreement, this.#remote.readOnly);
    if (options.connections > 1 && (flags & TransmissionFlag.CanMultiConn) === 0) {
      throw new Error(
        `cannot use ${options.connections} connections: ${formatUri(this.#current)} does not say ` +
          "that a flush on one of them covers the others (CAN_MULTI_CONN)",
      );
    }
    return this.#terms = { flags, facts: nbdFacts(extentOf(agreement), flags, options) };
  }

  async open(waiter: Waiter, others: number): Promise<number> {
    const first = this.#first;
    this.#first = null;
    if (first !== null) return first.fd;
    // All connections of a device go to one server: a flush covers no others.
    const servers = others > 0 ? [this.#current] : this.#remote.servers;
    const { fd, uri } = await connectToOne(servers, waiter, (said) => this.#check(said));
    if (uri !== this.#current) this.#log("warning", `going over to ${formatUri(uri)}`);
    this.#current = uri;
    return fd;
  }

  /** The server that the last connection was made to. */
  get current(): NbdUri {
    return this.#current;
  }

  closeUnused(): void {
    if (this.#first !== null) closeDescriptor(this.#first.fd);
    this.#first = null;
  }

  /** Throws Error for an export that cannot stand in for the one that the kernel knows. */
  #check(agreement: Agreement): void {
    const { facts, flags } = this.#terms!;
    const extent = extentOf(agreement);
    if (sizeInBlocks(extent, facts.blockSize) < facts.size) {
      throw new Error(`its export has ${agreement.size} bytes, and the device ${facts.size}`);
    }
    if (logicalBlockSize(extent) > facts.blockSize) {
      throw new Error(`its blocks are larger than those of the device, ${facts.blockSize} bytes`);
    }
    const lacks = flags & ~kernelFlags(agreement, facts.readOnly) & ~TransmissionFlag.Rotational;
    if (lacks !== 0) {
      throw new Error(
        `it does not offer what the device was made with (transmission flags 0x${
          lacks.toString(16)
        })`,
      );
    }
    if ((agreement.flags & TransmissionFlag.ReadOnly) !== 0 && !facts.readOnly) {
      throw new Error("its export is read-only, and the device is not");
    }
  }
}

function kernelFlags({ flags }: Agreement, readOnly: boolean): number {
  const known = flags & KERNEL_FLAGS;
  return readOnly ? known & ~FOR_WRITING | TransmissionFlag.ReadOnly : known;
}

function extentOf({ size, blockSize }: Agreement): Extent {
  return {
    sizeHigh: highOf(size),
    sizeLow: lowOf(size),
    blockSize: blockSize ?? BLOCK_SIZE_DEFAULT,
  };
}

/** Has the kernel send no larger requests than the server takes. */
function limitRequests(name: string, blockSize: BlockSize | null): void {
  const { maximum } = blockSize ?? BLOCK_SIZE_DEFAULT;
  const most = Math.floor(maximum / KIBIBYTE);
  const path = `block/${name}/queue/max_sectors_kb`;
  const now = Number(readSysfs(path) ?? 0);
  if (most < now) writeSysfs(path, `${most}`);
}
