"""The parts of a study file, each a pydantic model: the reference of the format."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from researchkit import wording
from researchkit.designs import (
    Contagion,
    Design,
    Detection,
    Dose,
    Halves,
    Limit,
    Mechanism,
    Mix,
    Recovery,
    Rollout,
    Series,
    Subgroup,
    Tradeoff,
    Within,
)
from researchkit.entries import Code, Codes, FilePath, Names, Number, Part, Slug, Whole
from researchkit.markup import as_list, code_keys, column_only, path_only

SECRETS = ("password", "passwd", "token", "secret", "private_key")  # in the options of a database's address


class Keep(Part):
    """Which rows belong to the sample, and why the others do not."""

    column: str
    values: Codes = ()
    not_values: Codes = ()
    minimum: Number | None = None
    maximum: Number | None = None
    why: str


class Summary(Part):
    """Many rows into one: `by` names the new row, `columns` the new values, as {new: {mean: old}}."""

    by: Names
    columns: dict[str, dict[Literal["mean", "sum", "count", "first"], str]]


class Pivot(Part):
    """Long to wide: for each `by`, `columns` at each value of `over` ("bdi" at time 1 becomes "bdi_1")."""

    by: Names
    over: str
    columns: Names


class File(Part):
    """One file, several by a glob, an address with the checksum of what is there, or a `relation` of a `database`.

    What stays where it is (`in_place`, and every database) is asked for counts and sums alone. `md5` serves where a
    publisher lists no other. `content` is the sha256 of the cells that are left after `drop` (see `readers.content`),
    for an address whose bytes are not known but whose cells are. `dictionary` lies beside an export of REDCap; `clock`
    and `timezone` say which hours a ticket system's durations and times are read in; `decimal` is "," where numbers are
    written so; `only` names the rows to read, as
    {redcap_event_name: baseline_arm_1}.
    """

    path: FilePath | None = None
    url: str | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    md5: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    content: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    mirror: str | None = None
    mirror_sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    reader: str = "plain"
    sheet: str | None = None
    encoding: str | None = None
    separator: str | None = None
    decimal: Literal[","] | None = None
    missing: Codes = ()
    dictionary: FilePath | None = None
    clock: Literal["calendar", "business"] | None = None
    timezone: str | None = None
    only: dict[str, Codes] = Field(default_factory=dict)
    rename: dict[str, str] = Field(default_factory=dict)
    drop: Names = ()
    key: Names = ()
    summarise: Summary | None = None
    pivot: Pivot | None = None
    in_place: bool | None = None
    database: str | None = None
    relation: Names = ()

    @model_validator(mode="after")
    def one_place(self) -> File:
        if sum(place is not None for place in (self.path, self.url, self.database)) != 1:
            raise ValueError("a file has either a `path` or a `url`, or else a `database`")
        if self.url and not (self.sha256 or self.md5 or self.content):
            raise ValueError("a `url` needs the `sha256` of what is there, so that a changed file is noticed")
        if self.mirror and not (self.mirror_sha256 or self.sha256):
            raise ValueError("a `mirror` needs the `mirror_sha256` of its copy where there is no `sha256`")
        return self

    @model_validator(mode="after")
    def stays_in_place(self) -> File:
        if (self.database is None) != (len(self.relation) == 0) or len(self.relation) > 2:
            raise ValueError("a `database` goes with a `relation`: the name of its table, or [schema, table]")
        if self.database is not None:
            refuse_secrets(self.database)
        if self.decimal and (self.database or self.in_place):
            raise ValueError("`decimal` goes with a text that is read; what stays in place needs decimal points")
        if self.in_place and self.url:
            raise ValueError("`in_place` goes with a `path`; download the file first and name where it lies")
        if self.database and self.in_place is False:
            raise ValueError("the rows of a `database` stay there; leave `in_place: false` out")
        return self

    @field_validator("timezone")
    @classmethod
    def a_zone_that_there_is(cls, name: str | None) -> str | None:
        if name is not None and not zone_is_known(name):
            raise ValueError(f"there is no time zone {name!r}; write it as Europe/London or America/Chicago")
        return name


def zone_is_known(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def refuse_secrets(address: str) -> None:
    """An address without its password, for study files and pages are shared."""
    try:
        parts = urlsplit(address)
        secret = parts.password is not None
    except ValueError:
        parts, secret = None, False
    if parts is None or not parts.scheme or "://" not in address:
        raise ValueError("a `database` is an address such as postgresql+psycopg://HOST/DATABASE")
    if secret or any(word in parts.query.lower() for word in SECRETS):
        raise ValueError(
            "a study file holds no password: leave it out of the address, and give it by ~/.pgpass or by the "
            "environment variable RESEARCHKIT_PASSWORD"
        )


class Table(Part):
    """One table of data: its files, what its rows are (`rows: contacts`), which column counts `people` where counts are
    protected, which `clusters` share an error term (the outermost first), and whether each row is an aggregate of many
    people (a hospital, a state), so that nothing is said of any one of them. A run holds the table against the export
    that `against` names, or against that of the last good run; `accept` says of a column why its change is right."""

    files: Annotated[tuple[File, ...], BeforeValidator(path_only)] = Field(min_length=1)
    people: str = "row"
    clusters: Names = ()
    rows: str = "rows"
    aggregates: bool = False
    keep: tuple[Keep, ...] = ()
    against: FilePath | None = None
    accept: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)


class Column(Part):
    """What a column means and which values it may hold."""

    label: str | None = None
    unit: str | None = None
    range: tuple[Number, Number] | None = None
    codes: Annotated[dict[str, str], BeforeValidator(code_keys)] = Field(default_factory=dict)
    missing: Codes = ()
    type: Literal["number", "category", "text", "id", "date"] | None = None
    from_: str | None = Field(None, alias="from")
    recode: Annotated[dict[str, str], BeforeValidator(code_keys)] = Field(default_factory=dict)
    source: str | None = None
    note: str | None = None

    @model_validator(mode="after")
    def a_range_has_room(self) -> Column:
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError(f"the range {wording.typed(self.range[0])} to {wording.typed(self.range[1])} is empty")
        return self


class Scale(Part):
    """A score made from several items, by an instrument's key or by the rule given here.

    `across` names a column of groups, such as channels or waves, in which it should mean the same. `table` turns the
    sum (or mean) of the answers into the score, as publishers of some instruments give it: {10: 32.4, 11: 35.8, ...}.
    """

    items: Names = Field(min_length=2)
    instrument: str | None = None
    rule: Literal["mean", "sum"] = "mean"
    reverse: Names = ()
    range: tuple[Number, Number] | None = None
    min_answered: Whole | None = None
    across: str | None = None
    not_applicable: Annotated[tuple[Number, ...], BeforeValidator(as_list)] = ()
    table: dict[Number, Number] = Field(default_factory=dict)
    label: str | None = None
    unit: str | None = None


class Exposure(Part):
    """What may make the difference. Coded exposures name the `level` that is compared with the `reference`."""

    column: str = Field(min_length=1)
    reference: Code | None = None
    level: Code | None = None
    per: Number = Field(1.0, gt=0)
    label: str | None = None


class Outcome(Part):
    """What it may make a difference to, and how that is measured."""

    column: str = Field(min_length=1)
    kind: Literal["score", "yes_no", "ordered", "counts", "duration", "change"]
    good: Literal["high", "low"] = "high"
    unit: str | None = None
    label: str | None = None
    yes: Code = "1"
    event: str | None = None
    event_value: Code = "1"
    competing: Codes = ()
    horizon: Number | None = Field(None, gt=0)
    entry: str | None = None
    time: str | None = None
    baseline: str | None = None
    top: Codes = ()
    nps: bool = False

    @model_validator(mode="after")
    def needs_of_the_kind(self) -> Outcome:
        needs = {"duration": ("event", "horizon"), "change": ("baseline",)}.get(self.kind, ())
        lacking = [need for need in needs if getattr(self, need) is None]
        if lacking:
            raise ValueError(f"an outcome of kind {self.kind} needs {' and '.join(lacking)}")
        if self.kind == "ordered" and not (self.nps or self.top):
            raise ValueError("an ordered outcome needs `top`, the values of its top group, or `nps: true`")
        return self


class Alternative(Part):
    """A planned variant of a question: another sample, column, adjustment or model, other weights.

    A random intercept (or slope) serves scores and changes with clusters; inverse probability a 0/1 exposure; the
    doubly robust estimate every kind but durations.
    """

    label: str
    exposure: Annotated[Exposure | None, BeforeValidator(column_only)] = None
    outcome: Outcome | None = None
    adjust: Names | None = None
    keep: tuple[Keep, ...] = ()
    model: Literal["random intercept", "random slope", "doubly robust", "inverse probability"] | None = None
    weights: str | None = None


class Question(Part):
    """The unit of work: one exposure, one outcome, one design, one claim.

    >>> import researchkit as rk
    >>> asked = rk.load_study("data/hospital").question("readmission")
    >>> asked.exposure.column, asked.outcome.kind, asked.claim
    ('compassion', 'yes_no', 'REC-1')
    """

    id: Slug
    title: str
    claim: str
    exposure: Annotated[Exposure, BeforeValidator(column_only)]
    outcome: Outcome
    smallest_effect: Number = Field(gt=0)
    adjust: Names = ()
    family: Literal["loyalty", "recovery", "burnout"] | None = None
    table: str | None = None
    expect: Literal["better", "worse", "equal", "not worse"] = "better"
    planned: bool = True
    negative_control: str | None = None
    weights: str | None = None
    alternatives: Names = ()
    design: Literal["randomised", "rollout", "observational"] | None = None
    clusters: Names | None = None
    keep: tuple[Keep, ...] = ()
    series: Series | None = None
    limit: Limit | None = None
    mix: Mix | None = None
    mechanism: Mechanism | None = None
    subgroup: Subgroup | None = None
    dose: Dose | None = None
    rollout: Rollout | None = None
    contagion: Contagion | None = None
    halves: Halves | None = None
    within: Within | None = None
    detection: Detection | None = None
    recovery: Recovery | None = None
    tradeoff: Tradeoff | None = None

    @model_validator(mode="after")
    def one_design_of_its_own(self) -> Question:
        found = [name for name, part in self if isinstance(part, Design)]
        if len(found) > 1:
            raise ValueError(f"a question has one design of its own at most; this one has {' and '.join(found)}")
        share = self.outcome.kind in ("yes_no", "ordered") and not self.outcome.nps
        if share and not found and self.smallest_effect > 1:
            raise ValueError("shares differ by 1 at most; a `smallest_effect` of 5 percentage points is 0.05")
        return self

    @property
    def special(self) -> Design | None:
        """What a question with a design of its own adds, such as its mediator; None for a plain contrast."""
        return next((part for _, part in self if isinstance(part, Design)), None)

    @property
    def plain(self) -> Question:
        """The question as a plain contrast, without a design of its own."""
        return self.model_copy(update={name: None for name, part in self if isinstance(part, Design)})

    @property
    def own(self) -> tuple[str, ...]:
        """The columns of the design of its own."""
        return self.special.columns if self.special else ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the answer reads, each once."""
        outcome = self.outcome
        extras = (outcome.event, outcome.entry, outcome.time, outcome.baseline, self.weights)
        rules = tuple(rule.column for rule in self.keep)
        wanted = (outcome.column, self.exposure.column, *self.own, *self.adjust, *extras, *rules)
        return tuple(dict.fromkeys(name for name in wanted if name))


class Source(Part):
    """Where a published dataset comes from, and on what terms."""

    page: str
    licence: str
    citation: str
    bytes: Whole | None = None
    note: str | None = None
