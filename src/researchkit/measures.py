"""The parts of a study file that say how something was measured: from events, by a form of feedback, by raters."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from researchkit.entries import Codes, Names, Number, Part
from researchkit.errors import some
from researchkit.markup import column_only
from researchkit.wording import typed, units


class Mark(Part):
    """Which entries of a column say that something is so: `{column: ended_as, values: died}`."""

    column: str
    values: Codes = Field(min_length=1)


class When(Part):
    """When something happened: a column of the same table, or of a `table` of events, one row each.

    There `who` is called as here unless said otherwise, and `of` with `values` picks the events that are meant.
    """

    column: str
    table: str | None = None
    who: str | None = None
    of: str | None = None
    values: Codes = ()

    def __str__(self) -> str:
        place = f"{self.table}/{self.column}" if self.table else self.column
        return f"{place} ({self.of}: {some(self.values)})" if self.of else place

    @model_validator(mode="after")
    def picks_whole(self) -> When:
        if bool(self.of) != bool(self.values):
            raise ValueError("`of` names the column that says which event it was, and `values` the events that count")
        if (self.of or self.who) and not self.table:
            raise ValueError("`who`, `of` and `values` belong to a `table` of events")
        return self


class Built(Part):
    """An outcome made from what happened when.

    With a `window` it is 1 (yes) or 0 (no), and empty where that is not known yet; without, a time beside NAME_end,
    which says how it ended. NAME_why says of every row without a value why it has none.
    """

    kind: Literal["retention", "return", "readmission", "stay", "recovery"]
    who: str
    start: str
    end: Annotated[When, BeforeValidator(column_only)]
    watched_until: str | Number
    window: Number | None = Field(None, gt=0)
    table: str | None = None
    died: Mark | None = None
    transferred: Mark | None = None
    join_within: Number | None = Field(None, ge=0)
    undone: Annotated[When | None, BeforeValidator(column_only)] = None
    holds: Number | None = Field(None, gt=0)
    label: str | None = None
    unit: str = "day"

    @model_validator(mode="after")
    def fits_the_kind(self) -> Built:
        stays = self.kind in ("readmission", "stay")
        allowed = {"died": stays, "transferred": stays, "join_within": self.kind == "readmission"}
        allowed |= {"undone": self.kind == "recovery", "holds": self.kind == "recovery", "window": self.kind != "stay"}
        if strange := [name for name, fits in allowed.items() if not fits and getattr(self, name) is not None]:
            raise ValueError(f"{' and '.join(f'`{name}`' for name in strange)} mean nothing for a {self.kind}")
        if stays and self.end.table:
            raise ValueError(f"the end of a {self.kind} is a column of the same table")
        if self.kind == "readmission" and not self.transferred and self.join_within is None:
            raise ValueError(
                "a transfer is no readmission: say with `transferred` how it is marked, or with `join_within` how many "
                "days after a discharge an admission still belongs to the same episode"
            )
        if self.holds and not self.undone:
            raise ValueError("`holds` is how long nothing may undo it, so it needs `undone`")
        return self

    def __str__(self) -> str:
        """How it is built, in words."""
        told = [f"{self.kind}, from {self.start} to {self.end}"]
        told += [f"within {typed(self.window)} {units(self.unit, typed(self.window))}"] if self.window else []
        told += [f"undone by {self.undone}"] if self.undone else []
        told += (
            [f"counted when it held for {typed(self.holds)} {units(self.unit, typed(self.holds))}"]
            if self.holds
            else []
        )
        told += ["transfers joined"] if self.kind == "readmission" else []
        until = typed(self.watched_until) if isinstance(self.watched_until, int | float) else self.watched_until
        return ", ".join([*told, f"watched until {until}"])

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of its own table that it reads, each once, but for `watched_until`."""
        whens = [when.column for when in (self.end, self.undone) if when and not when.table]
        marks = [mark.column for mark in (self.died, self.transferred) if mark]
        return tuple(dict.fromkeys([self.who, self.start, *whens, *marks]))

    @property
    def tables(self) -> tuple[When, ...]:
        """Its events that stand in tables of their own."""
        return tuple(when for when in (self.end, self.undone) if when and when.table)


class Feedback(Part):
    """What people answered when they were asked how it was, by the form that asked them.

    Forms differ in range, in which end is good and in what is counted, and are never compared. For customer effort
    (ces) there is no common rule at all, so all three must be said.
    """

    form: Literal["nps", "csat", "ces"]
    column: str
    asked: Mark | Literal["all"] | None = None
    only: Mark | None = None
    range: tuple[Number, Number] | None = None
    good: Literal["high", "low"] | None = None
    statistic: Literal["nps", "share", "mean"] | None = None
    top: Codes = ()
    table: str | None = None
    label: str | None = None

    @model_validator(mode="after")
    def fits_the_form(self) -> Feedback:
        if self.form == "nps":
            given = (self.range or (0, 10), self.good or "high", self.statistic or "nps", self.top)
            if given != ((0, 10), "high", "nps", ()):
                raise ValueError("an NPS goes from 0 to 10, high is good, 9 and 10 count; anything else is no NPS")
            return self
        needs = ("range", "good", "statistic") if self.form == "ces" else ("range",) if self.numbers else ()
        if lacking := [f"`{need}`" for need in needs if getattr(self, need) is None]:
            why = ": there is no common rule for customer effort" if self.form == "ces" else ""
            raise ValueError(f"a {self.form} needs {some(lacking)}{why}")
        if self.counted == "nps":
            raise ValueError(f"a {self.form} is told as a share or a mean, not as an NPS")
        if (self.counted == "share") != bool(self.top):
            raise ValueError(
                "a share needs `top`, the answers that it counts" if not self.top else "a mean has no `top`"
            )
        if self.range and self.top and self.numbers:
            self._top_is_at_the_good_end(*self.range)
        return self

    def _top_is_at_the_good_end(self, low: float, high: float) -> None:
        values = [float(value) for value in self.top]
        end = high if self.good != "low" else low
        if not all(low <= value <= high for value in values) or end not in values:
            side = "lowest" if self.good == "low" else "highest"
            raise ValueError(
                f"`top` is {some(self.top)}; of answers from {typed(low)} to {typed(high)} of which the {side} is "
                f"best, it must hold {typed(end)} and nothing outside"
            )

    @property
    def numbers(self) -> bool:
        """Whether the answers are numbers."""
        return all(code.replace(".", "", 1).lstrip("-").isdigit() for code in self.top)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it reads."""
        marks = [mark.column for mark in (self.asked, self.only) if isinstance(mark, Mark)]
        return (self.column, *marks)

    @property
    def counted(self) -> str:
        return self.statistic or ("nps" if self.form == "nps" else "share")

    @property
    def limits(self) -> tuple[float, float] | None:
        return (0.0, 10.0) if self.form == "nps" else self.range

    def __str__(self) -> str:
        """What is counted, in words."""
        if self.form == "nps":
            return "9 and 10 less 0 to 6, of answers from 0 to 10"
        what = "mean" if self.counted == "mean" else f"share of {some(self.top)}"
        scale = f" of answers from {typed(self.range[0])} to {typed(self.range[1])}" if self.range else ""
        return f"{what}{scale}, {self.good or 'high'} is good"


class Raters(Part):
    """Units that several raters have rated: a column for each rater, or in a table one row a rating.

    `of` is the column or scale that the ratings become; whatever asks about it is told how far raters agree.
    """

    of: str
    columns: Names = ()
    table: str | None = None
    unit: str | None = None
    rater: str | None = None
    rating: str | None = None
    measure: Literal["nominal", "ordinal", "interval"] = "interval"
    weights: Literal["linear", "quadratic"] | None = None
    label: str | None = None

    @model_validator(mode="after")
    def in_one_shape(self) -> Raters:
        long = [self.unit, self.rater, self.rating]
        if bool(self.columns) == any(long) or (any(long) and not all(long)):
            raise ValueError("ratings are `columns`, one for each rater, or rows with `unit`, `rater` and `rating`")
        if len(self.columns) == 1:
            raise ValueError("`columns` names one rater; agreement needs two")
        if self.weights and self.measure == "nominal":
            raise ValueError("`weights` say how far apart two answers are, and nominal ones have no order")
        return self

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that it reads in its table."""
        return self.columns or tuple(name for name in (self.unit, self.rater, self.rating) if name)
