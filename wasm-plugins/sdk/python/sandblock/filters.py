# SPDX-License-Identifier: MIT
"""What is below a filter, and the coroutines that wait for it."""

import inspect

from componentize_py_types import Err, Ok
from wit_world.exports import device
from wit_world.imports import host
from wit_world.imports.types import CallFlags, Progress

from .errors import Failure, as_record

_NO_FLAGS = CallFlags(0)


class _Wait:
    """Suspends a coroutine until something that was begun with a token has ended."""

    def __init__(self, token):
        self.token = token

    def __await__(self):
        return (yield self)


class _Task:
    """A request and the coroutine that serves it."""

    def __init__(self, request, coroutine, answer):
        self.request = request
        self.coroutine = coroutine
        self.answer = answer

    def step(self, resume):
        """Goes on until the coroutine waits again, or has ended."""
        try:
            wait = resume()
        except StopIteration as end:
            self.finish(end.value)
        except Exception as error:
            self.fail(error)
        else:
            tasks.waiting[wait.token] = self

    def finish(self, result):
        try:
            if self.answer:
                self.answer(self.request, result)
        except Exception as error:
            self.fail(error)
        else:
            self._end(Ok(None))

    def fail(self, error):
        self._end(Err(as_record(error)))

    def _end(self, outcome):
        with self.request as request:
            request.finish(outcome)


class _Tasks:
    def __init__(self):
        self.waiting = {}
        self.last = 0

    def token(self):
        while True:
            self.last = self.last % 0x3FFFFFFF + 1
            if self.last not in self.waiting:
                return self.last

    def serve(self, lent, handle, answer=None):
        """Serves a request that may have to wait."""
        task = _Task(lent.later(), None, answer)
        try:
            result = handle(task.request)
        except Exception as error:
            task.fail(error)
            return
        if not inspect.iscoroutine(result):
            task.finish(result)
            return
        task.coroutine = result
        task.step(lambda: result.send(None))

    def ended(self, token, outcome):
        task = self.waiting.pop(token, None)
        if task is None:
            return
        if isinstance(outcome, device.Outcome_Failed):
            failure = Failure(outcome.value.errno, outcome.value.text)
            task.step(lambda: task.coroutine.throw(failure))
        else:
            value = getattr(outcome, "value", None)
            task.step(lambda: task.coroutine.send(value))


tasks = _Tasks()


async def _begun(start):
    token = tasks.token()
    try:
        result = start(token)
    except Err as error:
        raise Failure(error.value.errno, error.value.text) from error
    if result is None or result is Progress.PENDING:
        return await _Wait(token)
    return None if result is Progress.DONE else result


async def sleep(seconds):
    """Waits. Other requests are served meanwhile."""
    await _begun(lambda token: host.timer(int(seconds * 1e9), token))


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

    def size(self):
        return self._context.child_size(self._child)

    def info(self):
        return self._context.child_info(self._child)

    async def read(self, offset, length):
        return await _begun(
            lambda token: self._context.pread(self._child, length, offset, token))

    async def write(self, offset, data, flags=_NO_FLAGS):
        return await _begun(
            lambda token: self._context.pwrite(self._child, bytes(data), offset, flags, token))

    async def flush(self):
        return await _begun(lambda token: self._context.flush(self._child, token))

    async def trim(self, offset, length, flags=_NO_FLAGS):
        return await _begun(
            lambda token: self._context.trim(self._child, length, offset, flags, token))

    async def zero(self, offset, length, flags=_NO_FLAGS):
        return await _begun(
            lambda token: self._context.zero(self._child, length, offset, flags, token))

    async def cache(self, offset, length):
        return await _begun(
            lambda token: self._context.cache(self._child, length, offset, token))

    async def extents(self, offset, length, flags=_NO_FLAGS):
        found = await _begun(lambda token: self._context.extents(
            self._child, length, offset, flags, 1024, token))
        return [(extent.length, extent.hole, extent.zero) for extent in found]
