"""What `score`, `instruments` and `check` say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from researchkit import account, feedback, soundness, talk, wording
from researchkit.dataset import load_dataset
from researchkit.drift import Change, called, drift
from researchkit.errors import DataError, ParameterError, ResearchkitError, listing, some
from researchkit.scales import instruments, read_instrument
from researchkit.study import Study
from researchkit.tables import Table
from researchkit.tables.table import harmless

TABLES = (
    account.reliability,
    soundness.one_factor,
    soundness.groups,
    account.ends,
    soundness.teams,
    soundness.raters,
    soundness.means,
    soundness.cutoffs,
    soundness.profiles,
    feedback.told,
)


def told(study: Study) -> Iterator[str]:
    """For each scale its account, as loading gives it, then each table that tells what scores and answers are worth."""
    if not (study.scales or study.feedback or study.raters or study.transcripts):
        raise ParameterError(
            f"{study.path} has no `scales:`, `feedback:`, `raters:` or `transcripts:`, so there is nothing to score."
        )
    for name in study.transcripts:  # before any table is read: a coder that does not agree stops the reading
        yield from ("", str(talk.agreement(study, name)))
    for table in study.tables:
        dataset = load_dataset(study, table)
        here = account.scales_here(dataset)
        yield from (note for note in dataset.notes if note.partition(":")[0] in here)
        for make in TABLES:
            if isinstance(part := make(dataset), Table):
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
    whole = whole.rename(columns=harmless).assign(table=whole["table"].map(harmless))
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


def changed(study: Study, old: Path | None) -> Iterator[str]:
    """What is different from an earlier export of the first table, or of each where `old` is a folder.

    Without `old`, from the export that each table names under `against:`; nothing where none does.

    Raises
    ------
    DataError
        If a change spoils an answer and is not accepted: it has to be looked at before anything is run.
    """
    first = next(iter(study.tables))
    named = {table: study.folder / spec.against for table, spec in study.tables.items() if spec.against}
    pairs = named if old is None else dict.fromkeys(study.tables if old.is_dir() else [first], old)
    found = [(table, change) for table, one in pairs.items() for change in drift(study, table, one)]
    where = some(dict.fromkeys(map(str, pairs.values())), 2)
    spoilt = [change for table, change in found if change.spoils and not accepted(study, table, change)]
    if pairs:
        yield from (str(change) for _, change in found if change not in spoilt)
        yield from () if found else (f"No column has changed since {where}.",)
    if spoilt:
        from researchkit.batch.memory import remedies

        problems = listing(f"{where}: since that export", [*map(str, spoilt)])
        raise DataError(
            f"{problems}\nThat alone would make another answer. Get the export as it was, or, if the change is right, "
            f"say so in study.yml: {remedies(spoilt)}."
        )


def accepted(study: Study, table: str, change: Change) -> bool:
    return any(change.column in (name, called(study, name)) for name in study.tables[table].accept)


def account_of(dataset: Any) -> list[str]:
    """What arrived, what went, and what the readers did, a line each."""
    left = dataset.kept if hasattr(dataset, "kept") else len(dataset.frame)  # rows that stay in place are counted there
    arrived, kept = wording.count(dataset.rows), wording.count(left)
    head = f"{dataset.table}: {arrived} rows arrived, {kept} kept; {dataset.fingerprint}"
    gone = [f"  {wording.count(step.rows)} dropped: {step.why}" for step in dataset.flow]
    more = dataset.repeats() if hasattr(dataset, "repeats") else []
    return [head, *gone, *(f"  {note}" for note in (*dataset.notes, *more))]


def drawn(dataset: Any, question: Any) -> list[str]:
    """What keeps a question from being asked of the data."""
    try:
        dataset.sample(question)
    except ResearchkitError as error:
        return [str(error)]
    return []
