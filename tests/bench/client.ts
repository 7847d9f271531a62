// SPDX-License-Identifier: MIT
// The least NBD client that there can be: it connects, agrees on an export, and holds the line.
// proto.md, "Newstyle negotiation": NBD_OPT_EXPORT_NAME with NBD_FLAG_C_NO_ZEROES.

const GREETING_LENGTH = 18;
const EXPORT_REPLY_LENGTH = 10;
const OPTION_EXPORT_NAME = 1;
/** NBD_FLAG_C_FIXED_NEWSTYLE and NBD_FLAG_C_NO_ZEROES. */
const CLIENT_FLAGS = 3;
const CMD_DISC = 2;

async function readFull(connection: Deno.Conn, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const count = await connection.read(bytes.subarray(at));
    if (count === null) throw new Error(`cannot read the server's answer: it closed after ${at}`);
    at += count;
  }
  return bytes;
}

async function writeFull(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Connects and reads the greeting. Throws while the server does not listen yet. */
export async function greet(path: string): Promise<Deno.UnixConn> {
  const connection = await Deno.connect({ transport: "unix", path });
  try {
    const greeting = await readFull(connection, GREETING_LENGTH);
    const magic = new TextDecoder("latin1").decode(greeting.subarray(0, 8));
    if (magic !== "NBDMAGIC") throw new Error(`cannot use the server: it greets with "${magic}"`);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** A connection in transmission phase that asks for nothing. */
export async function hold(path: string, exportName: string): Promise<Deno.UnixConn> {
  const connection = await greet(path);
  const name = new TextEncoder().encode(exportName);
  const bytes = new Uint8Array(4 + 16 + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, CLIENT_FLAGS);
  bytes.set(new TextEncoder().encode("IHAVEOPT"), 4);
  view.setUint32(12, OPTION_EXPORT_NAME);
  view.setUint32(16, name.length);
  bytes.set(name, 20);
  try {
    await writeFull(connection, bytes);
    await readFull(connection, EXPORT_REPLY_LENGTH);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** Takes leave of the server and closes. */
export async function release(connection: Deno.UnixConn): Promise<void> {
  const request = new Uint8Array(28);
  const view = new DataView(request.buffer);
  view.setUint32(0, 0x25609513);
  view.setUint16(6, CMD_DISC);
  try {
    await writeFull(connection, request);
  } catch { /* it has closed before us */ }
  connection.close();
}
