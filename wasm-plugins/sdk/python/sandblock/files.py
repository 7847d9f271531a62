# SPDX-License-Identifier: MIT
"""Files that the user has granted: the manifest asks for the capability "read" or "write"."""

from wit_world.imports import files
from wit_world.imports.types import CallFlags

from .errors import calling
from .tasks import begun

_NO_FLAGS = CallFlags(0)
_MAY_TRIM = CallFlags.MAY_TRIM
# The token with which calls wait.
_NOW = 0


def open_file(path, write=False, create=False, exclusive=False, truncate=False, lock=False):
    """Opens a file, to read or also to write. The others but `lock`, which keeps out
    whoever opens it like this, too, need `write`. A relative path starts at the first
    directory that was granted."""
    how = files.FileFlags(0)
    for wanted, flag in [
        (write, files.FileFlags.WRITE),
        (create, files.FileFlags.CREATE),
        (exclusive, files.FileFlags.EXCLUSIVE),
        (truncate, files.FileFlags.TRUNCATE),
        (lock, files.FileFlags.LOCK),
    ]:
        if wanted:
            how |= flag
    with calling():
        return File(files.open(path, how))


class File:
    """An open file. Coroutines never wait for the disk; what ends with `_now` does, and is not for requests but
    for `start`, `open`, `stop` and so on."""

    def __init__(self, file):
        self._file = file

    def size(self):
        """Bytes."""
        with calling():
            return self._file.size()

    def resize(self, size):
        """Cuts it off, or makes it longer by a hole."""
        with calling():
            self._file.resize(size)

    async def read(self, offset, length):
        """All of these bytes; fails with ENODATA where the file ends before."""
        return await begun(lambda token: self._file.pread(length, offset, token))

    async def write(self, offset, data, flags=_NO_FLAGS):
        """Writes all of `data`; the file grows as needed."""
        await begun(lambda token: self._file.pwrite(bytes(data), offset, flags, token))

    async def sync(self):
        """What was written is on stable storage when this returns."""
        await begun(lambda token: self._file.sync(token))

    async def zero(self, offset, length, may_trim=False):
        """Makes a range zero, as far as the file has it."""
        flags = _MAY_TRIM if may_trim else _NO_FLAGS
        await begun(lambda token: self._file.zero(length, offset, flags, token))

    def read_now(self, offset, length):
        with calling():
            return self._file.pread(length, offset, _NOW)

    def write_now(self, offset, data, flags=_NO_FLAGS):
        with calling():
            self._file.pwrite(bytes(data), offset, flags, _NOW)

    def sync_now(self):
        with calling():
            self._file.sync(_NOW)

    def zero_now(self, offset, length, may_trim=False):
        with calling():
            self._file.zero(length, offset, _MAY_TRIM if may_trim else _NO_FLAGS, _NOW)

    def close(self):
        self._file.__exit__(None, None, None)
