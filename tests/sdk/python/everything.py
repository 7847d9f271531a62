"""A RAM disk with a label that ioctls tell and change. It can be erased for good, and may have zones, the first of
which is conventional."""

import sandblock
from sandblock import Zone, ZoneCondition, Zones, ZoneType

SIZE = 0
ZONED = 1
ZONE_BYTES = 65536
# As _IOWR('*', 1, ...), _IOR('*', 2, ...) and _IO('*', 3) of Linux, for 8 bytes.
SWAP = 0xC0082A01
GET = 0x80082A02
CLEAR = 0x00002A03


class Everything:
    def __init__(self, plugin, read_only):
        self.plugin = plugin
        self.read_only = read_only

    def size(self):
        return len(self.plugin.memory)

    def read(self, offset, length):
        return self.plugin.memory[offset:offset + length]

    def write(self, offset, data):
        zone, at = divmod(offset, ZONE_BYTES)
        if not self.plugin.written:
            self.plugin.memory[offset:offset + len(data)] = data
        elif zone and at != self.plugin.written[zone]:
            raise sandblock.Failure(sandblock.EIO, "that is not at the write pointer")
        else:
            self.put(zone, at, data)

    def put(self, zone, at, data):
        """Writes `data` to a zone, from `at` in it on."""
        if at + len(data) > ZONE_BYTES:
            raise sandblock.Failure(sandblock.EIO, "the zone is full")
        offset = zone * ZONE_BYTES + at
        self.plugin.memory[offset:offset + len(data)] = data
        if zone:
            self.plugin.written[zone] += len(data)

    def flush(self):
        pass

    def secure_erase(self, offset, length):
        self.plugin.memory[offset:offset + length] = bytes(length)

    async def ioctl(self, number, argument):
        if number == GET:
            return self.plugin.label
        if number not in (SWAP, CLEAR):
            raise sandblock.Failure(sandblock.ENOTTY)
        if self.read_only:
            raise sandblock.Failure(sandblock.EROFS, "the label stays as it is")
        before = self.plugin.label
        self.plugin.label = argument if number == SWAP else bytes(8)
        await sandblock.sleep(0.000001)
        return before if number == SWAP else None

    def info(self, assumed):
        if self.plugin.written:
            assumed.block_minimum = 512
            assumed.zero = assumed.fast_zero = sandblock.Support.NONE
        return assumed

    def zones(self):
        return Zones(0, 0, 8192, ZONE_BYTES, 0) if self.plugin.written else None

    def zone_report(self, offset, length):
        zones = range(offset // ZONE_BYTES, (offset + length) // ZONE_BYTES)
        return [self.zone(zone) for zone in zones]

    def zone(self, zone):
        start = zone * ZONE_BYTES
        if zone == 0:
            kind, condition = ZoneType.CONVENTIONAL, ZoneCondition.NOT_WRITE_POINTER
            return Zone(start, ZONE_BYTES, ZONE_BYTES, start, kind, condition)
        written = self.plugin.written[zone]
        condition = ZoneCondition.IMPLICITLY_OPEN
        if written in (0, ZONE_BYTES):
            condition = ZoneCondition.FULL if written else ZoneCondition.EMPTY
        pointer = start + written
        return Zone(start, ZONE_BYTES, ZONE_BYTES, pointer, ZoneType.SEQUENTIAL, condition)

    async def zone_append(self, offset, data):
        zone = offset // ZONE_BYTES
        if zone == 0:
            raise sandblock.Failure(sandblock.EIO, "the zone has no write pointer")
        await sandblock.sleep(0.000001)
        at = self.plugin.written[zone]
        self.put(zone, at, data)
        return offset + at

    def zone_finish(self, offset, length):
        self.plugin.written[offset // ZONE_BYTES] = ZONE_BYTES

    def zone_reset(self, offset, length):
        for zone in range(max(offset // ZONE_BYTES, 1), (offset + length) // ZONE_BYTES):
            start = zone * ZONE_BYTES
            self.plugin.memory[start:start + ZONE_BYTES] = bytes(ZONE_BYTES)
            self.plugin.written[zone] = 0


class Plugin(sandblock.Plugin):
    disk = Everything
    concurrent = True
    label = bytes(8)

    def start(self, parameters):
        self.memory = bytearray(parameters.number(SIZE))
        zones, rest = divmod(parameters.number(ZONED) * len(self.memory), ZONE_BYTES)
        if rest:
            raise sandblock.Failure(sandblock.EINVAL, "these are no whole zones")
        self.written = [0] * zones

    def open(self, name, read_only):
        return Everything(self, read_only)


Device, Disk = sandblock.export(Plugin)
