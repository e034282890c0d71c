"""Codes into the tables of a study: each turn its own, each conversation its shares; none without agreement."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from researchkit.codebook import coded, variants
from researchkit.errors import DataError, StudyError, listing
from researchkit.faults import nearest
from researchkit.readers import Origin, gather
from researchkit.readers.relation import stays
from researchkit.sources import locate
from researchkit.study import Study
from researchkit.transcripts.listen import Heard, listen
from researchkit.wording import count


@dataclass
class Growing:
    """A table on its way to its codes."""

    study: Study
    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def take(self, found: Heard, columns: dict[str, pd.Series]) -> None:
        """Add the columns of the codes that agree well enough; others are a problem where they are asked for."""
        asked = asked_of(self.study)
        for column, values in columns.items():
            code = next((one for one in found.spec.codes if column.startswith(f"{found.name}_{one}")), None)
            if column in self.frame:
                self.problems.append(f"{column} is made from `transcripts: {found.name}`, and stands in the file, too")
            elif code is None or found.good(code):
                self.frame = self.frame.assign(**{column: values})
            elif column in asked:
                self.problems.append(f"{column} may enter no answer: {found.told(code)}")
        for code in found.spec.codes:
            made = f"{found.name}_{code}"
            left_out = "" if found.good(code) else "; left out"
            self.notes.append(f"{made}: {found.told(code)}{left_out}.")
        self.notes += [f"{found.name}: {note}." for note in found.notes]


def with_codes(study: Study, table: str, frame: pd.DataFrame, origin: Origin) -> tuple[pd.DataFrame, list[str]]:
    """The frame with the codes of its turns or conversations, without their words; and how they were made.

    Raises
    ------
    DataError
        If a question asks for codes whose agreement with people is not known or not good enough, with the numbers; or
        as `listen`.
    SourceError
        If the turns are not at hand, or a coder is to be learned and scikit-learn is not installed.
    """
    now = Growing(study, frame)
    for name, spec in study.transcripts.items():
        try:
            if study.table_of(spec) == table:
                found = listen(name, spec, frame, origin)
                now.take(found, found.columns())
            elif spec.into == table:
                found = heard(study, name)
                now.take(found, matched(now, found))
        except DataError as error:
            now.problems.append(str(error))
    if now.problems:
        raise DataError(listing(origin.subject, now.problems))
    return now.frame.drop(columns=[text for text in study.words_in(table) if text in now.frame]), now.notes


def heard(study: Study, name: str, coder: str | None = None) -> Heard:
    """What one declaration of transcripts finds in its table; `coder` in place of its own, to compare.

    Raises
    ------
    ResearchkitError
        If there is no such declaration, or as `listen`.
    """
    if name not in study.transcripts:
        raise StudyError(f"{study.path} has no transcripts {name!r}{nearest(name, study.transcripts)}.")
    spec = study.transcripts[name]
    table = study.table_of(spec)
    if stays(study, table):
        raise DataError(
            f"{study.name}: `transcripts: {name}` reads every turn, and the rows of {table!r} stay in place."
        )
    gathered = gather(study, table, locate)
    frame, _, _ = coded(study, table, gathered)
    return listen(name, spec if coder is None else spec.model_copy(update={"coder": coder}), frame, gathered.origin)


def matched(now: Growing, found: Heard) -> dict[str, pd.Series]:
    """The shares of each conversation, by the rows of a table of conversations."""
    ids, shares = now.frame[found.spec.conversation], found.shares()
    there = ids.isin(shares.index)
    if not there.any():
        raise DataError(f"{found.name}: no {found.spec.conversation} of this table has turns; is it the same number?")
    if silent := int((~there).sum()):
        now.notes.append(f"{found.name}: {count(silent)} rows have no turns.")
    if gone := len(shares) - int(shares.index.isin(ids).sum()):
        now.notes.append(f"{found.name}: {count(gone)} conversations of the turns have no row here.")
    rows = shares.reindex(ids)
    return {str(column): pd.Series(rows[column].to_numpy(), index=now.frame.index) for column in rows}


def asked_of(study: Study) -> set[str]:
    """Every column that some question, its variants or a keep rule reads."""
    each = [variant for question in study.questions for variant in variants(study, question)]
    names = {name for one in each for name in (*one.columns, *([one.negative_control] if one.negative_control else []))}
    return names | {rule.column for table in study.tables.values() for rule in table.keep}
