"""The study file: what was asked, of which data, before anyone looked.

`load_study` reads a `study.yml` into a frozen `Study`, or says everything that is wrong with it at once, with lines.
The models below are the reference of the format; `study.schema.json`, written from them, lets editors complete it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from researchkit.card import Card
from researchkit.claims import claim
from researchkit.disclosure import name_of
from researchkit.entries import Names, Part, Whole
from researchkit.errors import StudyError, listing, some
from researchkit.faults import all_of, left_open, nearest, told
from researchkit.markup import Place, as_list, read_bytes, read_yaml
from researchkit.measures import Built, Feedback, Raters
from researchkit.parts import Alternative, Column, Question, Scale, Source, Table
from researchkit.spoken import Transcript, called, made_in, of_transcripts, transcript_problems

# A single table's keys may stand at the top.
SHORT = ("files", "people", "clusters", "rows", "aggregates", "keep", "against", "accept")
NO_TABLE = Table.model_construct(keep=())
FAMILIES = ("loyalty", "recovery", "burnout")  # the three doors: each has its notebook


class Study(Part):
    """A checked study file.

    >>> import researchkit as rk
    >>> rk.load_study("data/hospital").design_of(rk.load_study("data/hospital").question("anxiety_trial"))
    'randomised'
    """

    title: str
    seed: Whole = Field(ge=0)
    design: Literal["randomised", "rollout", "observational"]
    tables: dict[str, Table]
    questions: Annotated[tuple[Question, ...], BeforeValidator(as_list)] = Field(min_length=1)
    description: str | None = None
    emulates: str | None = None  # the trial, in words, that an observational study stands in for
    columns: dict[str, Annotated[Column, BeforeValidator(lambda value: {} if value is None else value)]] = Field(
        default_factory=dict
    )
    scales: dict[str, Scale] = Field(default_factory=dict)
    events: dict[str, Built] = Field(default_factory=dict)
    feedback: dict[str, Feedback] = Field(default_factory=dict)
    raters: dict[str, Raters] = Field(default_factory=dict)
    transcripts: dict[str, Transcript] = Field(default_factory=dict)
    causes: Names = ()
    alternatives: dict[str, Alternative] = Field(default_factory=dict)
    disclosure: Annotated[
        Literal["none", "cms", "nhs", "ukllc", "five", "none-1", "cms-2024", "nhs-2018", "ukllc-1", "five-1"],
        AfterValidator(name_of),
    ] = "none"
    simulated: bool = False
    source: Source | None = None
    _path: Path = PrivateAttr(default=Path("study.yml"))
    _sha256: str = PrivateAttr(default="")

    @model_validator(mode="before")
    @classmethod
    def one_table_in_short(cls, value: Any) -> Any:
        """The keys of a table at the top of the file mean one table called "data"."""
        if not isinstance(value, dict) or "files" not in value or "tables" in value:
            return value
        table = {key: item for key, item in value.items() if key in SHORT}
        return {**{k: v for k, v in value.items() if k not in SHORT}, "tables": {"data": table}}

    @property
    def path(self) -> Path:
        return self._path

    @property
    def folder(self) -> Path:
        return self._path.parent

    @property
    def name(self) -> str:
        """The name of the folder (resolved, for "." has none), or of the file where it is not called study.yml."""
        return self.folder.resolve().name if self._path.stem == "study" else self._path.stem

    @property
    def sha256(self) -> str:
        return self._sha256

    def __repr__(self) -> str:
        return f"Study({self.name}: {self.title}; questions {', '.join(one.id for one in self.questions)})"

    __str__ = __repr__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """What was asked, of which tables; nothing of what the data say."""
        asked = [
            (one.id, f"{one.title} ({one.claim}{'' if one.planned else ', exploratory'})") for one in self.questions
        ]
        facts = [
            ("Design", f"{self.design}{', simulated' if self.simulated else ''}"),
            ("Tables", some(self.tables, 8)),
            ("Columns", some(self.columns, 12)),
            ("Scales", some(self.scales, 8)),
            ("Small counts", "shown: profile none" if self.disclosure == "none" else f"profile {self.disclosure}"),
            ("File", f"{self.folder.resolve().name}/{self.path.name}"),
        ]
        return Card("Study", self.title, [*asked, *facts]).bundle()

    def question(self, id: str) -> Question:
        """The question of that id; StudyError names the nearest when there is none."""
        found = {question.id: question for question in self.questions}
        if id not in found:
            raise StudyError(f"{self.path} has no question {id!r}{nearest(id, found)}.")
        return found[id]

    def table_of(self, part: Question | Built | Feedback | Raters | Transcript) -> str:
        return part.table or next(iter(self.tables))

    def behind(self, table: str) -> tuple[str, ...]:
        """The tables that the rows of one come from: itself, those of events, and those of turns that are coded."""
        here = [one for one in self.events.values() if self.table_of(one) == table]
        turns = [self.table_of(one) for one in self.transcripts.values() if one.into == table]
        return tuple(dict.fromkeys([table, *(str(when.table) for one in here for when in one.tables), *turns]))

    def heard_in(self, table: str) -> dict[str, str]:
        """The columns that codes of transcripts make in a table, and of which transcript each is."""
        return made_in(self.transcripts, table, next(iter(self.tables)))

    def turns_of(self, name: str, table: str) -> tuple[str, ...]:
        """The columns of a table that one declaration of transcripts reads."""
        one = self.transcripts[name]
        return one.read if self.table_of(one) == table else (one.conversation,)

    def words_in(self, table: str) -> set[str]:
        """The columns of a table that hold what people said."""
        return {one.text for one in self.transcripts.values() if one.text and self.table_of(one) == table}

    def turns_in(self, table: str) -> tuple[list[str], list[str], list[str]]:
        """What transcripts read in a table: every column; those with ids or words; those that count turns."""
        return of_transcripts(self.transcripts, table, next(iter(self.tables)))

    def made(self, name: str) -> tuple[str, ...]:
        """The columns of an outcome that is built from events."""
        return (name, f"{name}_why") if self.events[name].window else (name, f"{name}_end", f"{name}_why")

    def design_of(self, question: Question) -> str:
        return question.design or self.design

    def clusters_of(self, question: Question) -> tuple[str, ...]:
        table = self.tables[self.table_of(question)]
        return table.clusters if question.clusters is None else question.clusters

    def family_of(self, question: Question) -> str:
        return question.family or claim(question.claim).group

    def source_of(self, name: str) -> str | None:
        """Who rated a column, or all the items of a scale; None where that is not said or differs."""
        items = self.scales[name].items if name in self.scales else (name,)
        said = {self.columns[item].source if item in self.columns else None for item in items}
        return said.pop() if len(said) == 1 else None

    def part(self, name: str) -> Column | Scale | Built | None:
        """What the study file says of a column, a scale or an outcome built from events."""
        return self.columns.get(name) or self.scales.get(name) or self.events.get(name)

    def label(self, name: str) -> str:
        """What a column or scale is called on a page."""
        part = self.part(name)
        of = None if part else next((own for table in self.tables if (own := self.heard_in(table).get(name))), None)
        if of:
            return called(of, self.transcripts[of], name, self.label)
        return (part.label if part else None) or name.replace("_", " ")


def load_study(path: str | Path) -> Study:
    """Read and check a study file, or the `study.yml` of a folder.

    Raises
    ------
    StudyError
        With every problem of the file at once, each with its line and, where a name is nearly right, the nearest.

    >>> import researchkit as rk
    >>> rk.load_study("data/hospital").title
    'Does compassion help patients and staff of a hospital?'
    """
    path = located(path)
    path = path / "study.yml" if path.is_dir() else path
    return read_study(path, read_bytes(path))


@lru_cache(maxsize=8)
def read_study(path: Path, content: bytes) -> Study:
    """The study that a file holds; a worker makes many reports of the same one, and a study does not change."""
    try:
        value, lines = read_yaml(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StudyError(f"{path}, line {line}: this is not UTF-8; save the study file as UTF-8.") from None
    if not isinstance(value, dict):
        raise StudyError(f"{path}: a study file is a mapping that starts with `title:`; this one holds none.")
    left = left_open(value, lines)
    try:
        study = Study.model_validate(value)
    except ValidationError as error:
        raise StudyError(listing(str(path), all_of(left, told(error, Study, lines)))) from None
    if problems := left or disagreements(study, lines):
        raise StudyError(listing(str(path), problems))
    study._path, study._sha256 = path, hashlib.sha256(content).hexdigest()
    return study


def located(path: str | Path) -> Path:
    """The path as given or, where there is nothing, from the nearest folder above, or else beside the package.

    So notebooks run from any folder.
    """
    path = Path(path)
    if path.exists() or path.is_absolute():
        return path
    beside = (*Path.cwd().parents, Path(__file__).parents[2])
    return next((folder / path for folder in beside if (folder / path).exists()), path)


def disagreements(study: Study, lines: dict[Place, int]) -> list[str]:
    """What each part says rightly by itself, but two parts say against each other."""
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for number, question in enumerate(study.questions):
        line = lines.get(("questions", number), 0)
        if question.id in seen:
            problems.append((line, f"the id {question.id!r} is that of the question in line {seen[question.id]} too"))
        seen.setdefault(question.id, line)
        problems += [(line, f"question {question.id}: {text}") for text in question_problems(study, question)]
    for name in study.scales.keys() & study.columns.keys():
        problems.append((lines.get(("scales", name), 0), f"{name!r} is both a column and a scale"))
    problems += [
        (lines.get(("events", name), 0), text) for name in study.events for text in event_problems(study, name)
    ]
    wrong: list[tuple[Place, str]] = []
    wrong += [(("feedback", name), text) for name in study.feedback for text in feedback_problems(study, name)]
    wrong += [(("raters", name), text) for name in study.raters for text in rater_problems(study, name)]
    wrong += [(("transcripts", name), text) for name in study.transcripts for text in heard_problems(study, name)]
    wrong += [
        (("questions", number), text) for number, one in enumerate(study.questions) for text in compared(study, one)
    ]
    problems += [(lines.get(place, 0), text) for place, text in wrong]
    for number, arrow in enumerate(study.causes):
        if len([step for step in arrow.split("->") if step.strip()]) < 2:
            problems.append((lines.get(("causes", number), 0), f"{arrow!r} is no arrow; write `cause -> effect`"))
    return [f"line {line}: {text}." for line, text in sorted(problems)]


def question_problems(study: Study, question: Question) -> list[str]:
    """What is wrong with one question, given the rest of the study."""
    problems = []
    try:
        group = claim(question.claim).group  # looked up where the family is given, too: the claim is to be one
        if not question.family and group not in FAMILIES:
            problems.append(f"{question.claim} has no family of its own; add `family:` loyalty, recovery or burnout")
    except StudyError as error:
        problems.append(str(error).rstrip("."))
    for kind, wanted, known in (
        ("table", [question.table] if question.table else [], study.tables),
        ("alternative", question.alternatives, study.alternatives),
    ):
        problems += [f"there is no {kind} {name!r}{nearest(name, known)}" for name in wanted if name not in known]
    exposure, outcome = question.exposure.column, question.outcome.column
    if exposure == outcome and not (question.special and question.special.same):
        problems.append(f"{exposure!r} is both exposure and outcome")
    clusters = study.clusters_of(question) if study.table_of(question) in study.tables else ()
    for what, names in (("is adjusted for", question.adjust), ("stands under `clusters`", clusters)):
        problems += [f"{name!r} {what} twice" for name in names if names.count(name) > 1][:1]
    asked = [name for name in question.adjust if name in (exposure, outcome)]
    problems += [f"{name!r} is asked about and cannot be adjusted for" for name in asked]
    return problems + (question.special.against(question) if question.special else [])


def event_problems(study: Study, name: str) -> list[str]:
    """What is wrong with an outcome that is built from events, given the rest of the study."""
    spec, whens = study.events[name], study.events[name].tables
    wanted = [one for one in (spec.table, *(when.table for when in whens)) if one]
    problems = [
        f"{name}: there is no table {one!r}{nearest(one, study.tables)}" for one in wanted if one not in study.tables
    ]
    taken = {**study.columns, **study.scales}
    return problems + [
        f"{one!r} is built by `events: {name}` and stands elsewhere too" for one in study.made(name) if one in taken
    ]


def feedback_problems(study: Study, name: str) -> list[str]:
    """What is wrong with one form of feedback, given the rest of the study."""
    spec = study.feedback[name]
    if spec.table and spec.table not in study.tables:
        return [f"{name}: there is no table {spec.table!r}{nearest(spec.table, study.tables)}"]
    beside = [other for other, one in study.feedback.items() if other != name and one.column == spec.column]
    if beside and not spec.only:
        return [
            f"{name}: {spec.column!r} holds the answers of {some(beside)} too; say with `only` which rows are meant"
        ]
    return []


def compared(study: Study, question: Question) -> list[str]:
    """Where a question reads feedback otherwise than its form is declared, or sets one form beside another."""
    others = [study.alternatives[name].outcome for name in question.alternatives if name in study.alternatives]
    problems, met = [], []
    for outcome in (question.outcome, *(one for one in others if one)):
        forms = {name: one for name, one in study.feedback.items() if one.column == outcome.column}
        kept = {rule.column for rule in (*question.keep, *study.tables.get(study.table_of(question), NO_TABLE).keep)}
        if len(forms) > 1 and not all(one.only and one.only.column in kept for one in forms.values()):
            problems.append(f"{outcome.column!r} holds answers to {some(forms)}, which are never compared; `keep` one")
        for name, one in list(forms.items())[:1]:
            met.append(name)
            fits = one.counted == "mean" or outcome.nps == (one.form == "nps")
            fits &= outcome.good == (one.good or "high") and (one.counted == "mean") == (outcome.kind == "score")
            fits &= outcome.kind != "ordered" or set(outcome.top) == set(one.top)
            if not fits:
                problems.append(
                    f"{outcome.column!r} is declared as {name} ({one}); the outcome asks for something else"
                )
    if len(dict.fromkeys(met)) > 1:
        problems.append(f"{some(met)} are different forms, and answers to different forms are never compared")
    return [f"question {question.id}: {text}" for text in problems]


def rater_problems(study: Study, name: str) -> list[str]:
    """What is wrong with one declaration of raters, given the rest of the study."""
    spec, asked = study.raters[name], {column for one in study.questions for column in one.columns}
    if spec.table and spec.table not in study.tables:
        return [f"{name}: there is no table {spec.table!r}{nearest(spec.table, study.tables)}"]
    known = {*study.columns, *study.scales, *asked}
    return [] if spec.of in known else [f"{name}: no column or scale is called {spec.of!r}{nearest(spec.of, known)}"]


def heard_problems(study: Study, name: str) -> list[str]:
    """What is wrong with one declaration of transcripts, given the rest of the study."""
    others = [one for other, spec in study.transcripts.items() if other != name for one in spec.made(other)]
    taken = {*study.scales, *(made for one in study.events for made in study.made(one)), *others}
    asked = {column for one in study.questions for column in (*one.columns, *study.clusters_of(one))}
    return transcript_problems(name, study.transcripts[name], study.tables, taken, asked)
