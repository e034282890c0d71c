"""One unit in which something began at a time, beside units in which it did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field, model_validator

from researchkit.designs.design import Design
from researchkit.entries import Whole


class Series(Design):
    """`series: {time: quarter, unit: company}`; the exposure says from when on it was there, and in which unit.

    `season` is the number of times after which the seasons return, as 4 quarters or 12 months.
    """

    room: ClassVar[str] = "series"
    notebook: ClassVar[str] = "25_series_and_limits.ipynb"
    replaces: ClassVar[bool] = True
    time: str
    unit: str
    season: Whole | None = Field(None, ge=2)

    @model_validator(mode="after")
    def two_columns(self) -> Series:
        if self.time == self.unit:
            raise ValueError(f"`time` and `unit` of a series are two columns; both are {self.time!r}")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.time, self.unit)

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        return f"{subject}, after it began and beside the course of the others,", outcome
