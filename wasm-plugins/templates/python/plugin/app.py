"""@name@: a RAM disk."""

import sandblock

# Positions of the parameters in manifest.json.
SIZE = 0


class RamDisk:
    def __init__(self, memory):
        self.memory = memory

    def size(self):
        return len(self.memory)

    def read(self, offset, length):
        return self.memory[offset:offset + length]

    def write(self, offset, data):
        self.memory[offset:offset + len(data)] = data

    def flush(self):
        """There is nothing that could be lost but all of it."""


class Plugin(sandblock.Plugin):
    disk = RamDisk

    def start(self, parameters):
        self.memory = bytearray(parameters.number(SIZE))

    def open(self, name, read_only):
        return RamDisk(self.memory)


Device, Disk = sandblock.export(Plugin)
