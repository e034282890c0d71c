"""The notebooks of the lessons: where they are, and a copy of one's own to write answers into."""

from __future__ import annotations

from pathlib import Path

from researchkit.errors import ParameterError
from researchkit.report import notebooks_folder


def notebooks() -> list[Path]:
    """The notebooks of all lessons, in their order."""
    return sorted((notebooks_folder() / "lessons").glob("[0-9]*.ipynb"))


def copy(out: str | Path) -> tuple[list[Path], list[Path]]:
    """Copy the lessons into the folder `out`; what was written, and what was there already and is left as it is.

    Raises
    ------
    ParameterError
        If `out` is a file, or cannot be written to.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out} is a file; lessons need a folder to be copied to.")
    written, kept = [], []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for source in notebooks():
            target = out / source.name
            if target.exists():  # somebody's answers
                kept.append(target)
                continue
            target.write_bytes(source.read_bytes())
            written.append(target)
    except OSError as error:
        raise ParameterError(f"{out} cannot be written to: {error.strerror}.") from None
    return written, kept
