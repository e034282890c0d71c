"""What others have published on the claims: 92 results, each with the page its numbers were read on.

A report lays its own estimate beside these. They are quoted with their source and their uncertainty, never mixed
silently: `data/published_evidence/README.md` says how the file was made and where the studies disagree.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from io import StringIO
from pathlib import Path

import pandas as pd

from researchkit.claims import claim as known_claim
from researchkit.errors import SourceError

COUNTS = ("year", "n", "n1", "n2", "events1", "events2", "k_studies")
NUMBERS = (
    *("effect", "ci_low", "ci_high", "mean1", "sd1", "mean2", "sd2", "r"),
    *("prop1", "prop2", "range_low", "range_high", "yi", "sei", "turn"),
)


def published(claim: str | None = None, verified_only: bool = True) -> pd.DataFrame:
    """The published results, one row each, in the order of their ids.

    Parameters
    ----------
    claim
        Only results on this claim, such as "REC-1"; all of them by default. A claim that nobody has tested gives
        an empty frame.
    verified_only
        Leave out results whose numbers were not seen in a public page.

    Returns
    -------
    pandas.DataFrame
        `effect`, `ci_low`, `ci_high` are as printed, in the measure named by `effect_measure`; `yi` and `sei` are
        derived for pooling, in the metric named by `yi_metric`; `turn` is 1 or -1, so that `turn` times `yi` above
        0 is better, or NaN. `source_of_numbers` is where they were read.
        `claim_ids` is a tuple; `verified` and `retracted` are true or false. A blank is a number not seen.

    Raises
    ------
    StudyError
        If there is no such claim.
    SourceError
        If the file of results is missing from the installation.
    """
    wanted = known_claim(claim).id if claim is not None else None
    frame = whole_file().copy()
    keep = frame["verified"] | (not verified_only)
    if wanted is not None:
        keep &= frame["claim_ids"].map(lambda ids: wanted in ids)
    return frame[keep].reset_index(drop=True)


@cache
def whole_file() -> pd.DataFrame:
    """All of the file, read once a process; not to be changed."""
    frame = pd.read_csv(StringIO(_text()), dtype=str, keep_default_na=False)
    for column in frame.columns.intersection([*COUNTS, *NUMBERS]):
        frame[column] = pd.to_numeric(frame[column].replace("", None))
    for column in COUNTS:
        frame[column] = frame[column].astype("Int64")
    frame["claim_ids"] = [tuple(ids.split(";")) for ids in frame["claim_ids"]]
    frame["verified"] = frame["verified"] == "yes"
    frame["retracted"] = frame["citation_short"].str.contains("RETRACTED")
    return frame


def _text() -> str:
    """The file's text: inside an installed package, or beside the sources in a checkout."""
    shipped = resources.files("researchkit").joinpath("evidence.csv")
    checkout = Path(__file__).resolve().parents[3] / "data" / "published_evidence" / "evidence.csv"
    for place in (shipped, checkout):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise SourceError(f"The published results are missing: neither {shipped} nor {checkout} is there. Reinstall.")
