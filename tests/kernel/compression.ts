// SPDX-License-Identifier: MIT
// What kernels and their modules are compressed with, told by the first bytes.

/** Magic numbers, and the program that unpacks. */
const FORMATS: [magic: number[], command: string[]][] = [
  [[0xfd, 0x37, 0x7a, 0x58], ["xz", "-dcq"]],
  [[0x1f, 0x8b], ["gzip", "-dcq"]],
  [[0x28, 0xb5, 0x2f, 0xfd], ["zstd", "-dcq"]],
  [[0x02, 0x21, 0x4c, 0x18], ["lz4", "-dcq"]],
];

/** The contents of `bytes`, or `bytes` when they are not compressed. */
export async function unpack(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const format = FORMATS.find(([magic]) => magic.every((byte, i) => bytes[i] === byte));
  if (!format) return bytes;
  const [program, ...args] = format[1];
  const child = new Deno.Command(program!, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  // Padding behind the data makes the programs end early, or complain after all is done.
  const fed = writer.write(bytes).then(() => writer.close()).catch(() => {});
  const { stdout } = await child.output();
  await fed;
  return stdout;
}
