"""A filter that uses what there is for filters and changes nothing: it answers reads in parts, looks at what is
written, asks again after errors, and keeps an export open for itself."""

import sandblock

PART = 4096


class Everything:
    def __init__(self, next):
        self.next = next

    @property
    def part(self):
        return max(PART, self.next.info().block_minimum)

    async def reply(self, reply):
        first = min(self.part, reply.length)
        await self.first(reply, reply.offset, first)
        if reply.length > first:
            reply.data(await self.next.read(reply.offset + first, reply.length - first))

    async def first(self, reply, offset, length):
        reply.zero(length)
        reply.restart()
        try:
            await reply.take(self.next, offset, length)
        except sandblock.Failure:
            self.next.reopen()
            await reply.take(self.next, offset, length)

    def inspect_write(self, write):
        if len(write.payload(write.length - 1, 1)) != 1:
            raise sandblock.Failure(sandblock.EIO, "there is no payload")

    async def flush(self):
        await self.next.flush()

    async def trim(self, offset, length):
        await self.next.trim(offset, length)

    async def zero(self, offset, length, may_trim):
        flags = sandblock.CallFlags.MAY_TRIM if may_trim else sandblock.CallFlags(0)
        await self.next.zero(offset, length, flags)

    async def cache(self, offset, length):
        await sandblock.sleep(0.000001)
        await self.next.cache(offset, length)

    async def secure_erase(self, offset, length):
        await self.next.secure_erase(offset, length)

    async def ioctl(self, number, argument):
        return await self.next.ioctl(number, argument)

    async def extents(self, offset, length):
        return await self.next.extents(offset, length)

    def info(self, assumed):
        sandblock.advise_blocks(
            assumed.block_minimum, assumed.block_preferred, assumed.block_maximum)
        return assumed


class Filter(sandblock.Filter):
    disk = Everything
    own = None

    def start(self, parameters):
        if not sandblock.has_feature("next"):
            raise sandblock.Failure(sandblock.EIO, "the host has nothing below")
        cancel = sandblock.after(3600, lambda: None)
        if not cancel() or cancel():
            raise sandblock.Failure(sandblock.EIO, "a timer cannot be taken back, or twice")

    def open(self, next, name, read_only):
        if not isinstance(self.opened.peer, str):
            raise sandblock.Failure(sandblock.EIO, "there is no peer")
        sandblock.exports_below()
        sandblock.default_below()
        if self.own is None:
            self.own = sandblock.open_next(name, True)
        return Everything(next)

    async def finish(self):
        if self.own is not None:
            self.own.close()
            self.own = None


Device, Disk = sandblock.export(Filter)
