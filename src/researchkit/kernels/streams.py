"""What a forked kernel prints to."""

from __future__ import annotations

from ipykernel.iostream import OutStream


class Quiet(OutStream):
    """ipykernel's own stream, but one to which nothing was written is not flushed.

    A cell flushes six times, and each time waits until another thread has had its turn: a third of what a cell takes
    that says nothing.
    """

    _said = False

    def write(self, string: str) -> int | None:  # type: ignore[override]  # as ipykernel's own
        count = super().write(string)
        self._said = True  # afterwards: whoever flushes meanwhile leaves it to the next one
        return count

    def flush(self) -> None:
        if self._said:
            self._said = False
            super().flush()
