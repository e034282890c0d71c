"""Broken data are named, and clean data are not accused.

`planted.kinds.KINDS` is the table of defects. With RESEARCHKIT_PLANTED the answer of each is written into that CSV;
`make attack` prints it, and tries the clean sets with other people.
"""

from __future__ import annotations

import csv
import os
import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted import told
from planted.clean import CLEAN, made
from planted.clinic import QUESTION, Planted
from planted.kinds import KINDS

from researchkit.doubts.rows import of_one_group

ACCUSED = re.compile(  # what is said of data that look broken; never of clean ones
    r"^(Error|Look at|doubtful data|circular|Simpson|inseparable|selective gaps|exposed: it goes|one source)"
    r"|hold the very same numbers|repeat an earlier row|fewer cells than|determine them",
    re.MULTILINE,
)
NAMES = [kind.name for kind in KINDS]
UNNAMED: dict[str, str] = {}  # kinds that nothing names yet, with why; a kind that is named must not stand here
SEEDS = 20


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What is said of the study before anything is planted into it, by each channel."""
    folder = Planted().write(tmp_path_factory.mktemp("unbroken"))
    mark, stop = told.answer(folder, QUESTION)
    return {"check": told.check(folder), "mark": mark, "stop": stop}


@cache
def said(kind, folder: Path) -> str:
    one = Planted()
    kind.plant(one)
    one.write(folder)
    if kind.by == "check":
        return told.check(folder)
    return told.answer(folder, one.question, whole=one.whole)[kind.by == "stop"]


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_a_planted_defect_is_named(kind, tmp_path, unbroken):
    assert not re.search(kind.words, unbroken[kind.by]), "the words would be said of clean data, too"
    words = said(kind, tmp_path)
    assert bool(re.search(kind.words, words)) == (kind.name not in UNNAMED), words
    note(kind, words)


def note(kind, words: str) -> None:
    if path := os.environ.get("RESEARCHKIT_PLANTED"):
        line = next((line for line in words.splitlines() if re.search(kind.words, line)), "not named")
        with Path(path).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(
                [kind.name.replace("_", " "), kind.by, re.sub(r"\S*/stays\.(csv|xlsx)", "stays", line)]
            )


def test_the_table_is_as_long_as_it_should_be():
    assert len(KINDS) >= 40 and len(set(NAMES)) == len(NAMES)
    assert set(UNNAMED) <= set(NAMES)
    assert len(CLEAN) >= 20


def accusations(name: str, seed: int, folder: Path) -> list[str]:
    """The lines that accuse a clean set of anything; an answer must come out, too."""
    one = made(name, seed)
    one.write(folder)
    mark, stop = told.answer(folder, one.question)
    lines = [*told.check(folder).splitlines(), *mark.splitlines()]
    return [line for line in lines if ACCUSED.search(line)] + ([f"stopped: {stop}"] if stop else [])


@pytest.mark.parametrize("name", CLEAN)
def test_clean_data_are_not_accused(name, tmp_path):
    assert accusations(name, 0, tmp_path) == []


@pytest.mark.attack
@pytest.mark.parametrize("name", CLEAN)
def test_clean_data_of_other_people_are_not_accused(name, tmp_path):
    found = [
        f"seed {seed}: {line}" for seed in range(1, SEEDS + 1) for line in accusations(name, seed, tmp_path / str(seed))
    ]
    assert found == []


def test_two_groups_that_each_hold_one_number_are_told_apart():
    rng = np.random.default_rng(1)
    ward = np.repeat([f"w{one:02d}" for one in range(24)], 20)
    trust = rng.normal(50, 10, 480).round(1)
    trust[:20], trust[20:40] = 3, 7
    frame = pd.DataFrame({"ward": ward, "trust": trust})
    found = [words for _, words in of_one_group(frame, ["ward"], lambda rows: f"{int(rows.sum())} rows")]
    ends = "where numbers differ within nearly every other."
    assert found == [f"all 20 rows of one ward hold {one} (20 rows), {ends}" for one in (3, 7)]
