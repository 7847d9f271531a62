"""@name@: keeps everything below it in disguise, each byte combined with a key by exclusive or."""

import sandblock

# Positions of the parameters in manifest.json.
KEY = 0


class Disguise:
    def __init__(self, next, table):
        self.next = next
        self.table = table

    async def read(self, offset, length):
        return (await self.next.read(offset, length)).translate(self.table)

    async def write(self, offset, data):
        await self.next.write(offset, data.translate(self.table))

    async def flush(self):
        await self.next.flush()


class Filter(sandblock.Filter):
    disk = Disguise

    def start(self, parameters):
        key = parameters.number(KEY)
        self.table = bytes(byte ^ key for byte in range(256))

    def open(self, next, name, read_only):
        return Disguise(next, self.table)


Device, Disk = sandblock.export(Filter)
