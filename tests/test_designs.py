"""A question with a design of its own: what every such design gets from the house, tried with one made up here."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

from researchkit.designs import Design
from researchkit.entries import Part
from researchkit.estimators import estimate_sample
from researchkit.parts import Question
from researchkit.readers.values import as_array


class Mirror(Design):
    """Gives the plain effect with its sign turned, so that a test sees whether it was asked."""

    room: ClassVar[str] = "mirror"
    notebook: ClassVar[str] = "10_loyalty.ipynb"
    glass: str

    @property
    def columns(self):
        return (self.glass,)


class Mirrored(Question):
    mirror: Mirror | None = None
    second: Mirror | None = None


def asked(**more):
    told = {"id": "q", "title": "?", "claim": "LOY-1", "exposure": {"column": "kind"}, "smallest_effect": 1}
    return Mirrored(**told, outcome={"column": "stays", "kind": "score"}, **more)


def test_a_plain_question_has_no_design_of_its_own():
    assert asked().special is None
    assert "glass" not in asked().columns


def test_the_columns_of_a_design_are_read_with_the_question():
    assert "steel" in asked(mirror={"glass": "steel"}).columns


def test_two_designs_in_one_question_are_refused_by_name():
    with pytest.raises(ValidationError, match="mirror and second"):
        asked(mirror={"glass": "a"}, second={"glass": "b"})


def test_the_estimator_of_its_name_answers(monkeypatch):
    room = ModuleType("researchkit.estimators.mirror")
    room.mirror = lambda sample, question, level: ("mirror", sample, question.mirror.glass, level)
    monkeypatch.setitem(sys.modules, room.__name__, room)
    question = asked(mirror={"glass": "steel"})
    assert estimate_sample(Part(), question, 0.9) == ("mirror", Part(), "steel", 0.9)
    with pytest.raises(Exception, match="brings its own"):
        estimate_sample(Part(), question, 0.9, "random slope")


def test_columns_arrive_as_numbers_or_as_entries():
    import pandas as pd

    assert as_array(pd.Series([1, 2])).dtype == np.float64
    assert list(as_array(pd.Series(["b", None, "1.0"], dtype="str"))) == ["b", "", "1"]
