"""The cases of the catalogue: what is done to a sound study, why it is refused, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

STUDY = """\
title: A clinic
seed: 1
files: visits.csv
design: observational
clusters: nurse
columns:
  kindness: {range: [0, 3]}
  trust: {range: [0, 100]}
questions:
  - id: trust
    title: Is there more trust after a kind visit?
    claim: MEC-1
    family: recovery
    exposure: kindness
    outcome: {column: trust, kind: score, unit: point}
    adjust: severity
    smallest_effect: 0.5
"""
HEAD = "kindness,trust,severity,nurse"
ROWS = tuple(f"{n % 4},{(n * 7) % 11 + n % 4},{(n * 5) % 6},n{n % 9:02d}" for n in range(90))

Edits = tuple[tuple[str, str], ...]


def answered(folder: Path) -> object:
    """The whole chain, as `researchkit effect` and every report go it."""
    from researchkit.answer import answer_question

    return answer_question(folder, "trust")


@dataclass(frozen=True)
class Case:
    """One change of a sound study that is refused.

    Parameters
    ----------
    what
        What somebody has done, as a heading.
    why, do
        Why it is refused, and the way on.
    study
        Pairs of an old and a new piece of the study file.
    data
        The table in place of the sound one; None: there is none.
    ask
        What is asked of it.
    """

    what: str
    why: str
    do: str
    study: Edits = ()
    data: str | bytes | None = "\n".join((HEAD, *ROWS)) + "\n"
    ask: Callable[[Path], object] = answered

    def write(self, folder: Path) -> None:
        text = STUDY
        for old, new in self.study:
            if old not in text:
                raise LookupError(f"{self.what}: the study file has no {old!r}")
            text = text.replace(old, new)
        (folder / "study.yml").write_text(text, encoding="utf-8")
        if self.data is not None:
            (folder / "visits.csv").write_bytes(self.data if isinstance(self.data, bytes) else self.data.encode())


def table(*more: str, rows: tuple[str, ...] = ROWS, head: str = HEAD) -> str:
    return "\n".join((head, *rows, *more)) + "\n"


def of_nothing(folder: Path) -> object:
    from researchkit.study import load_study

    return load_study(folder / "elsewhere")


def of_another(folder: Path) -> object:
    from researchkit.answer import answer_question

    return answer_question(folder, "tryst")


def of_one_site(folder: Path) -> object:
    from researchkit.answer import answer_question

    return answer_question(folder, "trust", by="nurse=n77")


def under_a_rule(folder: Path) -> object:
    from researchkit.answer import answer_question

    return answer_question(folder, "trust", by="nurse=n01", disclosure="cms")


def told_wrongly(folder: Path) -> object:
    from researchkit.report import write_report

    return write_report(folder, "trust", out=folder / "reports", parameters={"quesiton": "trust"})


def drafted_twice(folder: Path) -> object:
    from researchkit.draft import write_draft

    return write_draft(folder / "visits.csv", folder)


def locked_and_altered(folder: Path) -> object:
    from researchkit import protocol
    from researchkit.study import load_study

    study = load_study(folder)
    protocol.lock(study, "the data were at hand")
    lock = protocol.place_of(study)
    lock.write_text(lock.read_text(encoding="utf-8").replace("0.5", "0.1"), encoding="utf-8")
    return answered(folder)


CASES = (
    Case(
        "The study is not where you said",
        "A study is a folder with a study.yml in it, or that file. Paths count from the folder you are in.",
        "Name the folder from where you are (`pwd` says where). `researchkit new TABLE.csv --out FOLDER` makes one.",
        ask=of_nothing,
    ),
    Case(
        "A key of the study file is misspelt",
        "A key that is not known would be passed over in silence, and with it what you meant; so it stops.",
        "Correct the line that is named. The notebook 03_study_file lists what may stand in a study file.",
        study=(("adjust:", "ajust:"),),
    ),
    Case(
        "The study file is not sound YAML",
        "Indentation tells what belongs to what; a tab, a missing quote or a colon too many breaks that.",
        "Indent by spaces, put text with a colon in quotes, and look at the named line and the one above it.",
        study=(("title: A clinic", "title: A clinic: the first year"),),
    ),
    Case(
        "A draft is not filled in",
        "What only you can know was left open by `researchkit new`, so that nobody answers a question never asked.",
        "Replace each FILL_IN, before you look at a result: the question, its columns, what would matter.",
        study=(("exposure: kindness", "exposure: FILL_IN"), ("smallest_effect: 0.5", "smallest_effect: FILL_IN")),
    ),
    Case(
        "The smallest effect that matters is left out",
        "Without it nothing could be called too small to matter, whatever the number of rows.",
        "Ask who uses the answer below which difference they would do nothing else; write it in the outcome's unit.",
        study=(("    smallest_effect: 0.5\n", ""),),
    ),
    Case(
        "A claim is none of the 48",
        "Each question speaks to a claim of the published list, so that answers of many studies can be laid together.",
        "`researchkit claims` lists the claims with their letters and numbers.",
        study=(("claim: MEC-1", "claim: MEC-99"),),
    ),
    Case(
        "A question has another name",
        "The ids of questions are names: every letter counts.",
        "Take the id that is proposed, or look under `questions:` in the study file.",
        ask=of_another,
    ),
    Case(
        "The data file is not there",
        "`files:` counts from the folder of the study file, not from where you are.",
        "Put the file there, or write its whole path. Names tell large letters from small ones on most machines.",
        data=None,
    ),
    Case(
        "The data file is empty",
        "There is not even a line with the names of columns; mostly an export broke off.",
        "Export it anew.",
        data="",
    ),
    Case(
        "A column is not in the data",
        "The study file names a column that the table does not have; mostly it was renamed in an export.",
        "Take the proposed name, or keep yours: `NAME: {from: NAME IN THE TABLE}` under `columns:`.",
        data=table(head="kindness,truts,severity,nurse"),
    ),
    Case(
        "An answer lies outside its range",
        "A value that the scale does not have is a slip of the hand or a code for a missing answer.",
        "Correct the cell at the source; a code for missing goes under `missing:` of the column; or mend `range:`.",
        data=table("1,999,2,n01"),
    ),
    Case(
        "Words stand among numbers",
        "Turned into a gap in silence, such a cell would be lost without anybody knowing.",
        "Correct it at the source, or declare the word: `missing: [refused]` under the column.",
        data=table("1,refused,2,n01", "2,refused,3,n02"),
    ),
    Case(
        "A row has too many cells",
        "A comma inside a text that is not quoted, or another separator than the file's own, shifts all that follow.",
        "Mend the row; or say `files: {path: visits.csv, separator: ';'}` where another sign parts the cells.",
        data=table("1,5,2,n01,9"),
    ),
    Case(
        "The file is written in another alphabet",
        "Old programs save letters such as é in an encoding of their own.",
        "Save it as UTF-8, or name its encoding: `files: {path: visits.csv, encoding: cp1252}`.",
        data=table("1,5,2,né1").encode("latin-1"),
    ),
    Case(
        "A yes or no has a third answer",
        "Whether it means no, or no answer at all, moves the share; nobody but you can say.",
        "List what is no answer under `missing:` of the column; make one of all that means no by `recode:`; or say who "
        "counts by `keep:`.",
        study=(("  trust: {range: [0, 100]}\n", ""), ("kind: score, unit: point", "kind: yes_no, yes: good")),
        data=table(
            rows=tuple(f"{n % 4},{('good', 'bad', 'not asked')[n % 3]},{n % 6},n{n % 9:02d}" for n in range(90))
        ),
    ),
    Case(
        "The exposure is the same for all",
        "Where everybody was met alike, nobody can be compared.",
        "Look whether `keep:` or `--by` leaves one kind only, or whether the right column is named.",
        data=table(rows=tuple(f"2,{row.partition(',')[2]}" for row in ROWS)),
    ),
    Case(
        "All rows are of one cluster",
        "Rows of one ward are alike; from one alone nobody can tell what is the ward's and what the kindness's.",
        "Name the unit that there are many of under `clusters:`; or leave it out, if rows really are independent.",
        data=table(rows=tuple(f"{row.rpartition(',')[0]},n01" for row in ROWS)),
    ),
    Case(
        "There are too few rows",
        "The fewer the rows, the more an answer is chance; below a few no interval holds what it says.",
        "Gather more, or ask of all sites together in place of one.",
        data=table(rows=ROWS[:4]),
    ),
    Case(
        "A group asked for is not there",
        "`--by` and `by` are compared with the entries as they stand, letter by letter.",
        "Take one of the values that are listed.",
        ask=of_one_site,
    ),
    Case(
        "A group is too small to be shown",
        "Its people could be recognised, or counted out with the help of the other pages.",
        "Ask of larger groups. Whoever may see the data can look with `--disclosure none`, and must not pass it on.",
        ask=under_a_rule,
    ),
    Case(
        "A parameter of a notebook is misspelt",
        "Papermill would pass it over, and the report would look as if it had been heeded.",
        "Take the name that is proposed; the first code cell of the notebook lists them all.",
        ask=told_wrongly,
    ),
    Case(
        "A study file is there already",
        "A draft never replaces what somebody has written.",
        "Name another folder with `--out`, or move the old file away.",
        ask=drafted_twice,
    ),
    Case(
        "A locked plan was altered",
        "A lock says what was planned before the data were seen; one that was touched says nothing any more.",
        "Bring the lock back as it was, from version control or the register. Changes belong into study.yml.",
        ask=locked_and_altered,
    ),
)
