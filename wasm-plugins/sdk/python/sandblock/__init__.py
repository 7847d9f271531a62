# SPDX-License-Identifier: MIT
"""Block devices for sandblock in Python.

A plugin is a class that inherits from Plugin or Filter and opens disks: objects with
methods such as size, read and write. What a disk can do follows from the methods of its
class. The module `app` ends with

    Device, Disk = sandblock.export(MyPlugin)
"""

from componentize_py_types import Err
from wit_world.exports import device as _device
from wit_world.imports import host as _host
from wit_world.imports.types import CallFlags, ExportEntry, Info, Support
from wit_world.imports.types import Zone, ZoneCondition, Zones, ZoneType

from .errors import EACCES, EAGAIN, EBUSY, EEXIST, EINVAL, EIO, ENODATA, ENOENT, ENOMEM, ENOSPC
from .errors import ENOTTY, EOPNOTSUPP, EPERM, EROFS, ESHUTDOWN
from .errors import Failure, as_record, calling, failing
from .files import File, open_file
from .filters import Next, default_below, exports_below, open_next
from .network import Connection, connect
from .tasks import after, begun, sleep, tasks

__all__ = [
    "CallFlags", "Connection", "Failure", "File", "Filter", "Info", "Next", "Opened", "Parameters",
    "Plugin", "Reply", "Support", "Write", "Zone", "ZoneCondition", "ZoneType", "Zones", "advise_blocks", "after", "connect", "default_below", "export",
    "exports_below", "has_feature", "log", "metric", "open_file", "open_next", "sleep", "EACCES",
    "EAGAIN", "EBUSY", "EEXIST", "EINVAL", "EIO", "ENODATA", "ENOENT", "ENOMEM", "ENOSPC",
    "ENOTTY", "EOPNOTSUPP", "EPERM", "EROFS", "ESHUTDOWN",
]


def log(level, text):
    """Writes a line to the host's log: "error", "warning", "info" or "debug"."""
    _host.log(_host.Level[level.upper()], str(text))


def metric(index, value):
    """Sets a counter or gauge, or adds an observation to a histogram, by its position in the manifest's
    metrics."""
    _host.metric(index, value)


def advise_blocks(minimum, preferred, maximum):
    """In `info`: block sizes that clients are told, while they are held to those that `info` returns."""
    _host.block_advice(minimum, preferred, maximum)


def has_feature(name):
    """Whether the host has a feature, or the user has granted a capability."""
    return _host.feature(name)


class Parameters:
    """Parameters by their positions in the manifest, from 0."""

    def __init__(self, given):
        self._given = {}
        for parameter in given:
            self._given.setdefault(parameter.index, []).append(parameter.value.value)

    def all(self, index):
        """All values of a parameter: numbers, or bytes."""
        return self._given.get(index, [])

    def number(self, index):
        """A number (an integer, a size in bytes, a duration in nanoseconds, ...); 0 if not given."""
        return (self.all(index) or [0])[-1]

    def bytes(self, index):
        """A text, a path, a secret and so on as bytes; b"" if not given."""
        return (self.all(index) or [b""])[-1]

    def text(self, index):
        """The same as a str."""
        return self.bytes(index).decode()


class Reply:
    """A read that waits for its answer: pieces in ascending order without gaps."""

    def __init__(self, request, offset, length):
        self._request = request
        self._next = 0
        self.offset = offset
        self.length = length

    def data(self, data):
        """Answers the next bytes with `data`."""
        if data:
            self._request.data(self._next, bytes(data))
            self._next += len(data)

    def zero(self, length, hole=False):
        """Answers the next `length` bytes with zeroes. hole: they take no space."""
        if length:
            self._request.zero(self._next, length, hole)
            self._next += length

    def fail(self, length, errno):
        """Says that the next `length` bytes cannot be read."""
        self._request.fail(self._next, length, errno)
        self._next += length

    async def take(self, next, offset, length):
        """Filters: has the next `length` bytes answered by `next`, from `offset` on there, without copying
        them. After a Failure none of them is answered: another child can be asked."""
        flags = CallFlags.WHOLE
        await begun(lambda token: self._request.forward(
            next.index, self._next, length, offset, flags, token))
        self._next += length

    def restart(self):
        """Forgets all answers so far."""
        self._request.restart()
        self._next = 0


class Write:
    """A write that a filter passes on."""

    def __init__(self, request, offset):
        self._request = request
        self.offset = offset
        self.length = request.length()

    def payload(self, at, length):
        """`length` bytes of the data, from `at` on."""
        with calling():
            return self._request.payload(at, length)


class Opened:
    """What an open export has to do with the host: `self.opened` while `open` runs."""

    def __init__(self, context):
        self._context = context

    @property
    def peer(self):
        """Who it is opened for, while it is being opened: "unix:pid=12,uid=0,gid=0"."""
        return self._context.peer()

    def resize(self, size):
        """Gives it another size, for clients that open it from now on."""
        with calling():
            self._context.resize(size)


class Plugin:
    """What is served. `disk` is the class of what `open` returns. With `concurrent = True` methods of disks
    for requests may be coroutines. `opened` is an Opened while `open` runs, for disks that want to keep it."""

    disk = None
    concurrent = False
    opened = None

    def start(self, parameters):
        """All parameters are there."""

    def open(self, name, read_only):
        """Opens an export: a disk."""
        raise NotImplementedError

    def stop(self):
        """Called last."""

    # exports(self) -> [(name, description)], default_export(self) -> str | None and
    # connect(self, peer) are called where there are such methods.


class Filter(Plugin):
    """Stands on other devices. Methods of its disks may be coroutines, which await those of `next`. With
    inspect_write(write) in place of `write` a disk looks at writes before they are passed on."""

    concurrent = True

    def open(self, next, name, read_only):
        raise NotImplementedError

    # finish(self), which may be a coroutine, is called when nothing is open any more, if there is one.


# Methods of a disk, and what they make true of the plugin.
_METHODS = {
    "read": _device.Calls.PREAD,
    "reply": _device.Calls.PREAD,
    "write": _device.Calls.PWRITE,
    "inspect_write": _device.Calls.PWRITE,
    "flush": _device.Calls.FLUSH,
    "trim": _device.Calls.TRIM,
    "zero": _device.Calls.ZERO,
    "cache": _device.Calls.CACHE,
    "extents": _device.Calls.EXTENTS,
    "size": _device.Calls.SIZE,
    "description": _device.Calls.DESCRIPTION,
    "info": _device.Calls.INFO,
    "secure_erase": _device.Calls.SECURE_ERASE,
    "ioctl": _device.Calls.IOCTL,
    "zones": _device.Calls.ZONES,
    "zone_report": _device.Calls.ZONE_REPORT,
    "zone_append": _device.Calls.ZONE_APPEND,
    "zone_open": _device.Calls.ZONE_OPEN,
    "zone_close": _device.Calls.ZONE_CLOSE,
    "zone_finish": _device.Calls.ZONE_FINISH,
    "zone_reset": _device.Calls.ZONE_RESET,
}
_OF_PLUGINS = {
    "exports": _device.Calls.EXPORTS,
    "default_export": _device.Calls.DEFAULT_EXPORT,
    "connect": _device.Calls.CONNECT,
    "finish": _device.Calls.FINISH,
}


def _implemented(kind):
    calls = _device.Calls(0)
    for name, call in _METHODS.items():
        if hasattr(kind.disk, name):
            calls |= call
    for name, call in _OF_PLUGINS.items():
        if hasattr(kind, name):
            calls |= call
    if issubclass(kind, Filter):
        calls |= _device.Calls.INFO
    return calls


def export(kind):
    """The classes that the component consists of, for the plugin or filter class `kind`."""
    is_filter = issubclass(kind, Filter)
    plugin = kind()
    serve = tasks.serve if kind.concurrent else _serve_now

    class Disk(_device.Disk):
        def __init__(self, inner, next=None):
            self.inner = inner
            self.next = next

        def __del__(self):
            if hasattr(self.inner, "close"):
                self.inner.close()

        @failing
        def size(self):
            return self.inner.size()

        def description(self):
            return self.inner.description()

        @failing
        def info(self, assumed):
            if is_filter:
                _limit(kind.disk, self.next, assumed)
            return self.inner.info(assumed) if hasattr(self.inner, "info") else assumed

        def pread(self, count, offset, request):
            if hasattr(self.inner, "reply"):
                serve(request, lambda to: self.inner.reply(Reply(to, offset, count)))
            else:
                serve(request, lambda to: self.inner.read(offset, count), _answer(count))

        def pwrite(self, data, offset, flags, request):
            if hasattr(self.inner, "write"):
                serve(request, lambda to: self.inner.write(offset, data))
            else:
                self._inspect(offset, flags, request)

        @failing
        def _inspect(self, offset, flags, request):
            self.inner.inspect_write(Write(request, offset))
            with calling():
                request.forward(0, 0, request.length(), offset, flags, 0)

        def flush(self, request):
            serve(request, lambda to: self.inner.flush())

        def trim(self, count, offset, flags, request):
            serve(request, lambda to: self.inner.trim(offset, count))

        def zero(self, count, offset, flags, request):
            if CallFlags.FAST_ZERO in flags:
                raise Err(as_record(Failure(EOPNOTSUPP)))
            may_trim = CallFlags.MAY_TRIM in flags
            serve(request, lambda to: self.inner.zero(offset, count, may_trim))

        def cache(self, count, offset, request):
            serve(request, lambda to: self.inner.cache(offset, count))

        def extents(self, count, offset, flags, request):
            serve(request, lambda to: self.inner.extents(offset, count), _report)

        def secure_erase(self, count, offset, request):
            serve(request, lambda to: self.inner.secure_erase(offset, count))

        def ioctl(self, number, argument, request):
            if len(argument) != request.length():
                raise Err(as_record(Failure(EINVAL, _NO_ARGUMENT)))
            serve(request, lambda to: self.inner.ioctl(number & 0xFFFFFFFF, argument), _answer_ioctl)

        @failing
        def zones(self):
            return self.inner.zones()

        def zone_report(self, count, offset, request):
            serve(request, lambda to: self.inner.zone_report(offset, count), _report_zones)

        def zone_append(self, data, offset, flags, request):
            serve(request, lambda to: self.inner.zone_append(offset, data), _appended)

        def zone_open(self, count, offset, request):
            serve(request, lambda to: self.inner.zone_open(offset, count))

        def zone_close(self, count, offset, request):
            serve(request, lambda to: self.inner.zone_close(offset, count))

        def zone_finish(self, count, offset, request):
            serve(request, lambda to: self.inner.zone_finish(offset, count))

        def zone_reset(self, count, offset, request):
            serve(request, lambda to: self.inner.zone_reset(offset, count))

    class Device:
        def implemented(self):
            return _implemented(kind)

        @failing
        def start(self, parameters):
            plugin.start(Parameters(parameters))

        @failing
        def list_exports(self):
            return [ExportEntry(name, text) for name, text in plugin.exports()]

        @failing
        def default_export(self):
            return plugin.default_export()

        @failing
        def connect(self, peer):
            plugin.connect(peer)

        @failing
        def open(self, name, read_only, context):
            plugin.opened = Opened(context)
            try:
                if not is_filter:
                    return Disk(plugin.open(name, read_only))
                next = Next(context)
                return Disk(plugin.open(next, name, read_only), next)
            finally:
                plugin.opened = None

        def done(self, token, outcome):
            tasks.ended(token, outcome)

        def finish(self):
            tasks.background(plugin.finish())

        def stop(self):
            plugin.stop()

    return Device, Disk


@failing
def _serve_now(request, handle, answer=None):
    result = handle(request)
    if answer:
        answer(request, result)


def _answer(count):
    """Answers a read with the bytes that there are, or with zeroes."""

    def give(request, data):
        if data is None:
            request.zero(0, count, False)
        else:
            request.data(0, bytes(data))

    return give


_NO_ARGUMENT = 'the manifest of a filter with ioctl says "calls": {"ioctl": "transform"}'


def _answer_ioctl(request, argument):
    """What the argument of an ioctl becomes; without an answer it stays as it was."""
    if argument is not None:
        request.data(0, bytes(argument))


def _report_zones(request, zones):
    for zone in zones:
        request.zone(zone)


def _appended(request, offset):
    request.zone_appended(offset)


def _report(request, extents):
    for length, hole, zero in extents:
        request.extent(length, hole, zero)


def _limit(disk, next, info):
    """A filter that writes to what is below it can do no more than that, and its methods are not told of FUA:
    the host has it flush."""
    if hasattr(disk, "write") and next.info().write == Support.NONE:
        info.write = info.fua = info.zero = info.fast_zero = info.trim = Support.NONE
    itself = any(hasattr(disk, name) for name in ("write", "trim", "zero"))
    if itself and info.fua == Support.NATIVE:
        info.fua = Support.EMULATE
