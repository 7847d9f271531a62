// SPDX-License-Identifier: MIT
// The kernel image without its decompressor (Documentation/arch/x86/boot.rst): under emulation, a
// processor takes seconds for what the host does in a moment.

import { unpack } from "./compression.ts";

/** Offsets in the setup header of a bzImage. */
const SETUP_SECTORS = 0x1f1;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
const SECTOR_BYTES = 512;
/** What 0 in the header stands for. */
const SETUP_SECTORS_DEFAULT = 4;
const ELF_MAGIC = "\x7fELF";

/** The ELF image in the bzImage at `path`. Throws Error. */
export async function uncompressKernel(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await Deno.readFile(path);
  const view = new DataView(file.buffer);
  const sectors = (file[SETUP_SECTORS]! || SETUP_SECTORS_DEFAULT) + 1;
  const start = sectors * SECTOR_BYTES + view.getUint32(PAYLOAD_OFFSET, true);
  const payload = file.subarray(start, start + view.getUint32(PAYLOAD_LENGTH, true));
  const image = await unpack(payload);
  if (new TextDecoder().decode(image.subarray(0, 4)) === ELF_MAGIC) return image;
  throw new Error(`cannot unpack the kernel "${path}": what is in it is no ELF image`);
}
