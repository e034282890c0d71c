"""What is said on a terminal: names and entries from files are shown, and never steer it."""

from __future__ import annotations

import re
from typing import Any, TextIO

# Control characters but for the line's end and the tab, and those that turn the direction of reading.
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """The text with such characters written out: an escape as \\x1b."""
    return STEERING.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class Screen:
    """A stream that only shows what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(harmless(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
