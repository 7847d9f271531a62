# SPDX-License-Identifier: MIT
"""Failures of requests: an error number of Linux and a text."""

import contextlib
import functools

from componentize_py_types import Err
from wit_world.imports import types

EPERM = 1
ENOENT = 2
EIO = 5
EAGAIN = 11
ENOMEM = 12
EACCES = 13
EBUSY = 16
EEXIST = 17
EINVAL = 22
ENOTTY = 25
ENOSPC = 28
EROFS = 30
ENODATA = 61
EOPNOTSUPP = 95
ESHUTDOWN = 108


class Failure(Exception):
    """Fails a request with `errno`. Any other exception fails it with EIO, or with the errno of an
    OSError."""

    def __init__(self, errno, text=""):
        super().__init__(text)
        self.errno = errno


def as_record(error):
    """What the host is told about an exception."""
    if isinstance(error, Err):
        return error.value
    errno = ENOMEM if isinstance(error, MemoryError) else getattr(error, "errno", None)
    text = str(error)
    if not text and not isinstance(error, Failure):
        text = type(error).__name__
    return types.Failure(errno if isinstance(errno, int) else EIO, text)


def failing(function):
    """Makes exceptions of a function what the host understands."""

    @functools.wraps(function)
    def run(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            raise Err(as_record(error)) from error

    return run


@contextlib.contextmanager
def calling():
    """Makes what a function of the host raises a Failure."""
    try:
        yield
    except Err as error:
        raise Failure(error.value.errno, error.value.text) from error
