"""The simulated data that R's values in this folder are computed from: `python tests/reference/worlds.py FOLDER`.

Each frame is small, numeric where R needs it so, and made anew from the package's own worlds, so that every user can
run the comparisons; R itself is needed only to renew the values (`make reference`).
"""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path

import pandas as pd

from researchkit.simulate import simulate

ROWS, SEED = 1500, 11


@cache
def frames() -> dict[str, pd.DataFrame]:
    """`contacts`, `stays` and `staff`: gaps stay gaps, texts stay texts."""
    hospital = simulate("hospital", rows=ROWS, seed=SEED)
    contacts = simulate("contact_centre", rows=ROWS, seed=SEED)["interactions.parquet"]
    return {"contacts": contacts, "stays": hospital["stays.csv"], "staff": hospital["staff.csv"]}


def written(frame: pd.DataFrame) -> bytes:
    """The frame as the bytes of its CSV, with gaps as NA."""
    return frame.to_csv(index=False, na_rep="NA", lineterminator="\n").encode()


@cache
def digests() -> dict[str, str]:
    """What each frame is recognised by: values computed from others are of no use."""
    return {name: hashlib.sha256(written(frame)).hexdigest() for name, frame in frames().items()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, frame in frames().items():
        (folder / f"{name}.csv").write_bytes(written(frame))
    told = "".join(f"{digest}  {name}.csv\n" for name, digest in digests().items())
    (folder / "SHA256SUMS").write_text(told, encoding="utf-8")
