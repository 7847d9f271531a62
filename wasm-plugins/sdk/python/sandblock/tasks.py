# SPDX-License-Identifier: MIT
"""Coroutines that wait for what the host does."""

import inspect

from componentize_py_types import Err, Ok
from wit_world.exports import device
from wit_world.imports import host
from wit_world.imports.types import Progress

from .errors import Failure, as_record, calling


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


class _Background:
    """A coroutine that serves no request."""

    def __init__(self, coroutine):
        self.coroutine = coroutine

    def step(self, resume):
        try:
            wait = resume()
        except StopIteration:
            pass
        except Exception as error:
            host.log(host.Level.ERROR, as_record(error).text)
        else:
            tasks.waiting[wait.token] = self


class _Timer:
    """What is called when a timer fires."""

    def __init__(self, run):
        self.run = run

    def fire(self):
        tasks.background(self.run())


class _Tasks:
    """What waits for the host, by token."""

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

    def background(self, result):
        """Goes on with what a function of the plugin has returned, if that is a coroutine."""
        if inspect.iscoroutine(result):
            _Background(result).step(lambda: result.send(None))

    def ended(self, token, outcome):
        task = self.waiting.pop(token, None)
        if task is None:
            return
        if isinstance(task, _Timer):
            task.fire()
            return
        if isinstance(outcome, device.Outcome_Failed):
            failure = Failure(outcome.value.errno, outcome.value.text)
            task.step(lambda: task.coroutine.throw(failure))
        else:
            value = getattr(outcome, "value", None)
            task.step(lambda: task.coroutine.send(value))


tasks = _Tasks()


async def begun(start):
    """Has `start` begin something with a token, and waits for what that brings."""
    token = tasks.token()
    with calling():
        result = start(token)
    if result is None or result is Progress.PENDING:
        return await _Wait(token)
    return None if result is Progress.DONE else result


async def sleep(seconds):
    """Waits. Other requests are served meanwhile."""
    await begun(lambda token: host.timer(int(seconds * 1e9), token))


def after(seconds, run):
    """Calls `run`, which may be a coroutine function, when the time has passed. Returns a function that
    takes it back: False if it is too late."""
    token = tasks.token()
    timer = _Timer(run)
    with calling():
        host.timer(int(seconds * 1e9), token)
    tasks.waiting[token] = timer

    def cancel():
        if tasks.waiting.get(token) is not timer or not host.cancel(token):
            return False
        del tasks.waiting[token]
        return True

    return cancel


def abandon(token, failure):
    """What waits for a token of `begun` fails with `failure`."""
    task = tasks.waiting.pop(token, None)
    if task is not None:
        task.step(lambda: task.coroutine.throw(failure))
