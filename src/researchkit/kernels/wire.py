"""Short messages between processes of one user: JSON with its length before it, and open files beside it.

Never pickle: whoever could write here would run code. The socket lies in a folder that only its user may enter, and
each end asks the system who is at the other.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from typing import Any

LONGEST = 4 << 20  # bytes; an environment may be large, a request is not a way to fill the memory
MOST_FILES = 4
_HEAD = 4


def send(end: socket.socket, message: dict[str, Any], files: tuple[int, ...] = ()) -> None:
    """Write one message; the open files of these numbers go with it."""
    body = json.dumps(message).encode()
    socket.send_fds(end, [len(body).to_bytes(_HEAD, "big")], files)
    end.sendall(body)


class Inbox:
    """What has arrived at one end, in whole messages; `files` holds the open files that came along."""

    def __init__(self, end: socket.socket) -> None:
        self.end, self.files = end, list[int]()
        self._held = b""

    def take_in(self) -> None:
        """Read what is there.

        Raises
        ------
        EOFError
            If the other end is closed.
        """
        try:
            data, files, _, _ = socket.recv_fds(self.end, 1 << 16, MOST_FILES, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            data, files = b"", []
        self.files += files
        if not data:
            raise EOFError
        self._held += data

    def message(self) -> dict[str, Any] | None:
        """The next whole message, or None while it is still on its way.

        Raises
        ------
        ValueError
            If it is longer than any that we would send, or no JSON object.
        """
        if len(self._held) < _HEAD:
            return None
        size = int.from_bytes(self._held[:_HEAD], "big")
        if size > LONGEST:
            raise ValueError(f"a message of {size} bytes; at most {LONGEST}")
        if len(self._held) < _HEAD + size:
            return None
        body, self._held = self._held[_HEAD : _HEAD + size], self._held[_HEAD + size :]
        message = json.loads(body)
        if not isinstance(message, dict):
            raise ValueError("a message that is no object")
        return message

    def close(self) -> None:
        while self.files:
            os.close(self.files.pop())
        self.end.close()


def readable(end: socket.socket | int, seconds: float = 0) -> bool:
    """Whether something can be read, or of a handle on a process, whether that has ended; waits at most so long."""
    poll = select.poll()  # `select` itself stops at open file 1024
    poll.register(end, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))


def peer(end: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end, as the system knows them."""
    size = struct.calcsize("3i")
    process, user, _ = struct.unpack("3i", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return process, user
