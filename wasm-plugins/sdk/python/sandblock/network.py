# SPDX-License-Identifier: MIT
"""Connections by TCP to where the user has granted them: the manifest asks for the capability "net"."""

from wit_world.imports import network

from .errors import ESHUTDOWN, Failure, calling
from .tasks import abandon, begun


async def connect(address):
    """A Connection to `HOST:PORT`, written as it was granted."""
    made = []

    def start(token):
        made.append(network.connect(address, token))

    try:
        await begun(start)
    except Failure:
        for connection in made:
            connection.__exit__(None, None, None)
        raise
    return Connection(made[0])


class Connection:
    """A connection. One `read` and one `write` may be under way at a time."""

    def __init__(self, connection):
        self._connection = connection
        self._tokens = set()

    async def read(self, most):
        """Bytes, at most `most`, as soon as there are any; none at the end."""
        return await self._begun(lambda token: self._connection.read(most, token))

    async def write(self, data):
        """Sends all of `data`."""
        await self._begun(lambda token: self._connection.write(bytes(data), token))

    def close(self):
        """Closes it. What is under way fails with ESHUTDOWN."""
        if self._connection is None:
            return
        self._connection.__exit__(None, None, None)
        self._connection = None
        for token in list(self._tokens):
            abandon(token, _closed())

    async def _begun(self, start):
        if self._connection is None:
            raise _closed()
        used = []

        def remember(token):
            result = start(token)
            used.append(token)
            self._tokens.add(token)
            return result

        try:
            return await begun(remember)
        finally:
            self._tokens.difference_update(used)


def _closed():
    return Failure(ESHUTDOWN, "the connection was closed")
