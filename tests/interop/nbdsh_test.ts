// SPDX-License-Identifier: MIT
// libnbd through its Python module: what a program that uses the library sees.

import { output } from "../support/command.ts";
import { GENERATIONS, requires } from "../support/peers.ts";
import { sandblock } from "../support/program.ts";
import { TestServer } from "../support/server.ts";

/** Runs Python with a handle `h`; `uri` and `command` are what it may connect to. */
async function python(
  which: typeof GENERATIONS[number],
  uri: string,
  code: string,
  serverArgs: string[] = [],
): Promise<void> {
  const command = JSON.stringify([...sandblock(), "serve", ...serverArgs]);
  const head = `import nbd, errno\nuri = ${JSON.stringify(uri)}\ncommand = ${command}\n`;
  const dedented = code.replaceAll(/^ {4}/gm, "");
  await output([...requires("nbdsh", which), "-c", "-"], { input: head + dedented });
}

for (const which of GENERATIONS) {
  Deno.test(`libnbd, ${which}, writes, reads, zeroes, trims and flushes`, async () => {
    await using server = await TestServer.start(["memory", "16M"]);
    const code = `
    h.connect_uri(uri)
    data = bytes(range(256)) * 64
    h.pwrite(data, 12345)
    assert h.pread(len(data), 12345) == data
    h.pwrite(data, 65536, nbd.CMD_FLAG_FUA)
    h.zero(1000, 65536)
    assert h.pread(2000, 65536) == bytes(1000) + data[1000:2000]
    h.zero(1000, 65536, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
    h.trim(65536, 0)
    h.cache(65536, 0)
    h.flush()
    assert h.get_size() == 16 * 1024 * 1024
    h.shutdown()
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, has many requests in flight and gets each answer`, async () => {
    await using server = await TestServer.start(["memory", "64M"]);
    const code = `
    import hashlib
    h.connect_uri(uri)
    buffers = [nbd.Buffer.from_bytearray(bytearray(hashlib.sha256(bytes([i])).digest() * 2048)) for i in range(256)]
    cookies = [h.aio_pwrite(buffer, i * 65536) for i, buffer in enumerate(buffers)]
    while h.aio_in_flight() > 0:
        h.poll(-1)
    assert all(h.aio_command_completed(cookie) for cookie in cookies)
    back = [nbd.Buffer(65536) for _ in buffers]
    cookies = [h.aio_pread(buffer, i * 65536) for i, buffer in enumerate(back)]
    while h.aio_in_flight() > 0:
        h.poll(-1)
    assert all(h.aio_command_completed(cookie) for cookie in cookies)
    for i in range(256):
        assert back[i].to_bytearray() == buffers[i].to_bytearray(), i
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, with its own checks off gets the right errors`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    const code = `
    # Newer versions leave out PAYLOAD_LEN too unless told otherwise.
    h.set_strict_mode(getattr(nbd, "STRICT_AUTO_FLAG", 0))
    h.connect_uri(uri)
    def fails(expected, call):
        try:
            call()
        except nbd.Error as error:
            assert error.errnum == expected, error
        else:
            assert False, "it succeeded"
    size = h.get_size()
    fails(errno.EINVAL, lambda: h.pread(512, size))
    fails(errno.ENOSPC, lambda: h.pwrite(bytes(512), size))
    fails(errno.ENOSPC, lambda: h.zero(512, size))
    fails(errno.EINVAL, lambda: h.trim(512, size))
    fails(errno.EINVAL, lambda: h.pread(512, 0, 0x80))
    fails(errno.EINVAL, lambda: h.pwrite(bytes(512), 0, 0x80))
    h.zero(0, 0)
    h.trim(0, 0)
    assert h.pread(512, 0) == bytes(512)
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, is refused writes on a read-only export`, async () => {
    await using server = await TestServer.start(["-r", "memory", "1M"]);
    const code = `
    # Newer versions leave out PAYLOAD_LEN too unless told otherwise.
    h.set_strict_mode(getattr(nbd, "STRICT_AUTO_FLAG", 0))
    h.connect_uri(uri)
    assert h.is_read_only()
    for call in [lambda: h.pwrite(bytes(512), 0), lambda: h.trim(512, 0), lambda: h.zero(512, 0)]:
        try:
            call()
        except nbd.Error as error:
            assert error.errnum == errno.EPERM, error
        else:
            assert False
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, haggles in option mode`, async () => {
    await using server = await TestServer.start(["-e", "disk", "memory", "1M"]);
    const code = `
    h.set_opt_mode(True)
    h.set_full_info(True)
    h.connect_uri(uri)
    names = []
    h.opt_list(lambda name, description: names.append(name))
    assert names == ["disk"], names
    h.set_export_name("disc")
    try:
        h.opt_info()
        assert False
    except nbd.Error:
        pass
    h.set_export_name("")
    h.add_meta_context("base:allocation")
    h.add_meta_context("x-unknown:context")
    h.opt_info()
    assert h.get_size() == 1048576
    assert h.get_canonical_export_name() == "disk"
    h.opt_go()
    assert h.can_meta_context("base:allocation")
    assert not h.can_meta_context("x-unknown:context")
    assert h.pread(512, 0) == bytes(512)
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, aborts in option mode`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    const code = `
    h.set_opt_mode(True)
    h.connect_uri(uri)
    h.opt_abort()
    assert h.aio_is_closed()
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, reads in structured chunks: data and holes apart`, async () => {
    await using server = await TestServer.start(["memory", "1M"]);
    const code = `
    h.connect_uri(uri)
    h.pwrite(b"x" * 65536, 65536)
    chunks = []
    def chunk(data, offset, status, error):
        chunks.append((bytes(data), offset, status))
    whole = h.pread_structured(262144, 0, chunk)
    assert whole == bytes(65536) + b"x" * 65536 + bytes(131072)
    chunks.sort(key=lambda each: each[1])
    assert [(offset, status) for _, offset, status in chunks] == [
        (0, nbd.READ_HOLE), (65536, nbd.READ_DATA), (131072, nbd.READ_HOLE)], chunks
    chunks.clear()
    h.pread_structured(262144, 0, chunk, nbd.CMD_FLAG_DF)
    assert [(offset, status) for _, offset, status in chunks] == [(0, nbd.READ_DATA)]
    `;
    await python(which, server.uri(), code);
  });

  Deno.test(`libnbd, ${which}, starts the server on its standard input and output`, async () => {
    const code = `
    h.connect_command(command)
    h.pwrite(b"hello", 1000)
    assert h.pread(5, 1000) == b"hello"
    h.shutdown()
    `;
    await python(which, "", code, ["-s", "memory", "1M"]);
  });

  Deno.test(`libnbd, ${which}, starts the server by socket activation`, async () => {
    const code = `
    h.connect_systemd_socket_activation(command)
    assert h.get_size() == 3 * 1024 * 1024
    assert h.pread(8, 8) == (8).to_bytes(8, "big")
    h.shutdown()
    `;
    await python(which, "", code, ["pattern", "3M"]);
  });
}

Deno.test("newer libnbd gets error texts from the server", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  // libnbd prints the server's words in debug messages.
  const code = `
    messages = []
    h.set_debug(True)
    h.set_debug_callback(lambda context, message: messages.append(message))
    # Newer versions leave out PAYLOAD_LEN too unless told otherwise.
    h.set_strict_mode(getattr(nbd, "STRICT_AUTO_FLAG", 0))
    h.connect_uri(uri)
    try:
        h.pread(512, 1 << 40)
        assert False
    except nbd.Error as error:
        messages.append(str(error))
    assert any("past the end" in message for message in messages), messages
    `;
  await python("newer", server.uri(), code);
});

Deno.test("newer libnbd agrees on extended headers and zeroes 100 GiB in one request", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  const code = `
    h.connect_uri(uri)
    assert h.get_extended_headers_negotiated()
    places = [0, 5 << 30, (100 << 30) - 512]
    for place in places:
        h.pwrite(b"x" * 512, place)
    h.pwrite(b"y" * 512, 100 << 30)
    h.zero(100 << 30, 0)
    for place in places:
        assert h.pread(512, place) == bytes(512)
    assert h.pread(512, 100 << 30) == b"y" * 512
    h.trim(1 << 40, 0)
    assert h.pread(512, 100 << 30) == bytes(512)
    assert h.stats_chunks_received() > 0
    `;
  await python("newer", server.uri(), code);
});

Deno.test("newer libnbd gets 64-bit extents, and those of one context when it asks so", async () => {
  await using server = await TestServer.start(["memory", "1T"]);
  const code = `
    h.add_meta_context("base:allocation")
    h.connect_uri(uri)
    assert h.can_block_status_payload()
    h.pwrite(b"x" * 65536, 1 << 39)
    found = []
    def extents(context, offset, entries, error):
        found.append((context, offset, entries))
    h.block_status_64(1 << 40, 0, extents)
    expected = [(1 << 39, 3), (65536, 0), ((1 << 39) - 65536, 3)]
    assert found == [("base:allocation", 0, expected)], found
    found.clear()
    h.block_status_filter(1 << 40, 0, ["base:allocation"], extents)
    assert found == [("base:allocation", 0, expected)], found
    `;
  await python("newer", server.uri(), code);
});

Deno.test("newer libnbd without structured replies gets along with simple ones", async () => {
  await using server = await TestServer.start(["memory", "1M"]);
  const code = `
    h.set_request_extended_headers(False)
    h.set_request_structured_replies(False)
    h.connect_uri(uri)
    assert not h.get_structured_replies_negotiated()
    assert not h.can_df()
    h.pwrite(b"x" * 1000, 10)
    assert h.pread(1020, 0) == bytes(10) + b"x" * 1000 + bytes(10)
    `;
  await python("newer", server.uri(), code);
});
