"""Chunks of rows into one file, the same bytes each time, with no more than a chunk in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd

from researchkit.errors import SourceError

MEMORY = "1GB"  # of DuckDB, so that a file of any size is written in little
COLUMN_TYPES = {"i": "BIGINT", "f": "DOUBLE"}  # by numpy's letter for the kind of number; the rest is text


def write_csv(path: Path, pieces: Iterator[pd.DataFrame]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(pieces):
            frame.to_csv(file, index=False, header=number == 0, lineterminator="\n")


def write_parquet(path: Path, pieces: Iterator[pd.DataFrame]) -> None:
    """By DuckDB with one thread, through a table on disk beside the file.

    The bytes are the same for one version of DuckDB; another may compress otherwise. The values are the same in all.
    """
    try:
        import duckdb
    except ImportError:
        raise SourceError(f"{path.name} is written by DuckDB: `pip install 'researchkit[bigdata]'` adds it.") from None
    store = path.with_suffix(".duckdb")
    with duckdb.connect(str(store), config={"threads": 1, "memory_limit": MEMORY}) as connection:
        with suppress(duckdb.Error):  # in a notebook without widgets there is no progress bar to turn off
            connection.execute("SET enable_progress_bar = false")
        for number, frame in enumerate(pieces):
            connection.register("piece", frame)
            chosen = ", ".join(f'CAST("{name}" AS {column_type(frame[name])}) AS "{name}"' for name in frame)
            verb = "CREATE TABLE rows AS" if number == 0 else "INSERT INTO rows"
            connection.execute(f"{verb} SELECT {chosen} FROM piece")  # noqa: S608 - our own column names
            connection.unregister("piece")
        target = str(path).replace("'", "''")
        connection.execute(f"COPY rows TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 9)")
    store.unlink()


def column_type(column: pd.Series) -> str:
    return COLUMN_TYPES.get(getattr(column.dtype, "kind", "O"), "VARCHAR")
