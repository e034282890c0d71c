"""Two sets of cases of another composition, compared as if both had the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field, model_validator

from researchkit.designs.design import Design
from researchkit.entries import Names


class Mix(Design):
    """`mix: {of: [topic, severity_band]}`: the columns whose groups make up the composition of the cases."""

    room: ClassVar[str] = "mix"
    notebook: ClassVar[str] = "25_series_and_limits.ipynb"
    replaces: ClassVar[bool] = True
    of: Names = Field(min_length=1)

    @model_validator(mode="after")
    def each_once(self) -> Mix:
        if len(set(self.of)) < len(self.of):
            raise ValueError(f"a column stands twice in `of`: {', '.join(self.of)}")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return self.of

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        return f"{subject}, among cases of the same mix,", outcome
