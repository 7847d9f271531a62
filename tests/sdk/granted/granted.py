"""A disk in a file that the user has granted, which asks a server before it flushes."""

import sandblock

# Positions of the parameters in manifest.json.
FILE = 0
SERVER = 1


class FileDisk:
    def __init__(self, path, server):
        self.file = sandblock.open_file(path, write=True)
        self.file.read_now(0, 1)
        self.server = server

    def size(self):
        return self.file.size()

    async def read(self, offset, length):
        return await self.file.read(offset, length)

    async def write(self, offset, data):
        await self.file.write(offset, data)

    async def flush(self):
        connection = await sandblock.connect(self.server)
        try:
            await connection.write(b"flush\n")
            if await connection.read(16) != b"yes":
                raise sandblock.Failure(sandblock.EIO, "the server has refused it")
        finally:
            connection.close()
        await self.file.sync()

    def close(self):
        self.file.close()


class Plugin(sandblock.Plugin):
    disk = FileDisk
    concurrent = True

    def start(self, parameters):
        self.path = parameters.text(FILE)
        self.server = parameters.text(SERVER)

    def open(self, name, read_only):
        return FileDisk(self.path, self.server)


Device, Disk = sandblock.export(Plugin)
