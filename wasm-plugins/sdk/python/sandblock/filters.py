# SPDX-License-Identifier: MIT
"""What is below a filter."""

from wit_world.imports import host
from wit_world.imports.types import CallFlags

from .errors import calling
from .tasks import begun

_NO_FLAGS = CallFlags(0)


class Next:
    """What is below a filter. Its methods but size and info are coroutines."""

    def __init__(self, context, child=0):
        self._context = context
        self._child = child

    def count(self):
        """How many children there are."""
        return self._context.children()

    def child(self, index):
        """Another one of the children, from 0."""
        return Next(self._context, index)

    @property
    def index(self):
        """Which of the children it is."""
        return self._child

    def size(self):
        with calling():
            return self._context.child_size(self._child)

    def info(self):
        with calling():
            return self._context.child_info(self._child)

    async def read(self, offset, length):
        return await begun(
            lambda token: self._context.pread(self._child, length, offset, token))

    async def write(self, offset, data, flags=_NO_FLAGS):
        return await begun(
            lambda token: self._context.pwrite(self._child, bytes(data), offset, flags, token))

    async def flush(self):
        return await begun(lambda token: self._context.flush(self._child, token))

    async def trim(self, offset, length, flags=_NO_FLAGS):
        return await begun(
            lambda token: self._context.trim(self._child, length, offset, flags, token))

    async def zero(self, offset, length, flags=_NO_FLAGS):
        return await begun(
            lambda token: self._context.zero(self._child, length, offset, flags, token))

    async def cache(self, offset, length):
        return await begun(
            lambda token: self._context.cache(self._child, length, offset, token))

    async def secure_erase(self, offset, length):
        return await begun(
            lambda token: self._context.secure_erase(self._child, length, offset, token))

    async def ioctl(self, number, argument=b""):
        """What the argument, which has as many bytes as the number says, has become."""
        signed = (number & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
        return await begun(
            lambda token: self._context.ioctl(self._child, signed, bytes(argument), token))

    async def extents(self, offset, length, flags=_NO_FLAGS):
        found = await begun(lambda token: self._context.extents(
            self._child, length, offset, flags, 1024, token))
        return [(extent.length, extent.hole, extent.zero) for extent in found]

    def reopen(self, read_only=False):
        """Opens it again on all children, and closes what was open. Where that fails all stays as it was."""
        with calling():
            self._context.reopen(read_only)

    def close(self):
        """Closes what `open_next` has opened."""
        self._context.__exit__(None, None, None)


def open_next(name, read_only=False):
    """Opens an export of what is below for work that belongs to no client: a Next."""
    with calling():
        return Next(host.open_next(name, read_only))


def exports_below(child=0):
    """The exports of a child: a list of (name, description)."""
    with calling():
        return [(entry.name, entry.description) for entry in host.list_next(child)]


def default_below(child=0):
    """The default export of a child; None where there is none."""
    with calling():
        return host.default_next(child)
