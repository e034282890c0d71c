"""What `score`, `instruments` and `check --against` say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from researchkit import account
from researchkit.dataset import load_dataset
from researchkit.drift import drift
from researchkit.errors import DataError, ParameterError, listing
from researchkit.scales import instruments, read_instrument
from researchkit.study import Study


def told(study: Study) -> Iterator[str]:
    """For each scale its account, as loading gives it, then the tables of reliability and of both ends."""
    if not study.scales:
        raise ParameterError(f"{study.path} has no `scales:`, so there is nothing to score.")
    for table in study.tables:
        dataset = load_dataset(study, table)
        here = account.scales_here(dataset)
        yield from (note for note in dataset.notes if note.partition(":")[0] in here)
        for part in (account.reliability(dataset), account.ends(dataset)) if here else ():
            yield from ("", str(part))


def written(study: Study, out: Path) -> int:
    """The scores as CSV, by table and row of the file; how many rows. Nothing else of a person goes along."""
    import pandas as pd

    frames = []
    for table in study.tables:
        dataset = load_dataset(study, table)
        if here := account.scales_here(dataset):
            frame = dataset.arrived[list(here)]
            frame.insert(0, "row", dataset.origin.row[frame.index])
            frame.insert(0, "table", table)
            frames.append(frame)
    whole = pd.concat(frames) if frames else pd.DataFrame(columns=["table", "row"])
    try:
        whole.to_csv(out, index=False)
    except OSError as error:
        raise ParameterError(f"{out} cannot be written: {error.strerror}.") from None
    return len(whole)


def shelf() -> Iterator[str]:
    """Every instrument, with its forms and scales."""
    for name in instruments():
        spec: dict[str, Any] = read_instrument(name)
        yield f"{name}: {spec['title']} ({spec['version']}); {spec['licence']}"
        for form, parts in spec["forms"].items():
            scales = (f"{scale} ({len(part['items'])} items)" for scale, part in parts.items())
            yield f"  {form}: {', '.join(scales)}"
        yield from (f"  unverified ({place}): {words}" for place, words in spec.get("unverified", {}).items())
        yield f"  {spec['citation']}"


def changed(study: Study, old: Path) -> Iterator[str]:
    """What is different from an earlier export of the first table, or of each where `old` is a folder.

    Raises
    ------
    DataError
        If a change spoils an answer: it has to be looked at before anything is run.
    """
    found = [
        change
        for table in (study.tables if old.is_dir() else [next(iter(study.tables))])
        for change in drift(study, table, old)
    ]
    yield from (str(change) for change in found) if found else (f"Nothing changed since {old}.",)
    if spoilt := [str(change) for change in found if change.spoils]:
        raise DataError(listing(f"{old}: since that export", spoilt))
