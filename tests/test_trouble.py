"""The catalogue of errors: each is met as it is told, and found by the words of its message."""

from __future__ import annotations

import re
import tempfile

import pytest
from click.testing import CliRunner

import researchkit.errors
from researchkit import trouble
from researchkit.cli import main
from researchkit.errors import ParameterError
from researchkit.trouble.cases import CASES, Case, answered

ABOUT = {  # what each message has to be about, so that a case does not go wrong for another reason
    "The study is not where you said": "no study file mine/elsewhere",
    "A key of the study file is misspelt": "did you mean 'adjust'",
    "The study file is not sound YAML": "line 1: this is not YAML.* needs quotes",
    "A draft is not filled in": r"2 problems:.*`exposure` of `questions` waits.*`smallest_effect` of `questions` waits",
    "The smallest effect that matters is left out": "`smallest_effect` .* is missing",
    "A claim is none of the 48": "no claim 'MEC-99'",
    "A question has another name": "no question 'tryst' .did you mean 'trust'",
    "The data file is not there": "no file mine/visits.csv",
    "The data file is empty": "visits.csv is empty",
    "A column is not in the data": "nearest is 'truts'",
    "An answer lies outside its range": "outside 0-100, in row 92",
    "Words stand among numbers": "2 entries are no numbers .* rows 92 and 93",
    "A row has too many cells": "1 row has more cells .* row 92",
    "The file is written in another alphabet": "not UTF-8",
    "A yes or no has a third answer": r"yes is 'good', and there must be one other value that means no",
    "The exposure is the same for all": "kindness is the same in all 90",
    "All rows are of one cluster": "all 90 rows belong to one value of nurse",
    "There are too few rows": "4 complete rows are too few",
    "A group asked for is not there": "never 'n77'",
    "A group is too small to be shown": "Too few people",
    "A parameter of a notebook is misspelt": "did you mean 'question'",
    "A study file is there already": "left as it is",
    "A locked plan was altered": "not as it was locked",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_each_case_meets_the_message_that_it_is_about(case):
    met = trouble.provoked(case)
    assert re.search(ABOUT[case.what], " ".join(met.see.split())), met.see
    assert met.sort in vars(researchkit.errors) and met.why and met.do
    assert tempfile.gettempdir() not in met.see, "a message of the catalogue names no folder of this machine"


def test_nothing_of_it_is_wrong_with_the_study_as_it_stands(tmp_path):
    Case("", "", "").write(tmp_path)
    assert answered(tmp_path).verdict.word


def test_a_case_that_goes_wrong_no_more_is_noticed():
    with pytest.raises(ParameterError, match="has to be looked at"):
        trouble.provoked(Case("Nothing", "", ""))


def test_every_command_and_file_that_is_named_is_there(root):
    told = "\n".join(f"{case.why} {case.do}" for case in CASES)
    assert set(re.findall(r"researchkit ([a-z]+)", told)) <= set(main.commands)
    assert all((root / "notebooks" / f"{name}.ipynb").is_file() for name in re.findall(r"\b\d\d_\w+", told))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_message_finds_its_own_entry(case):
    assert trouble.like(trouble.provoked(case).see).troubles[0].what == case.what


def test_the_command_tells_all_or_those_that_fit_and_help_leads_there():
    everything = CliRunner().invoke(main, ["trouble"]).output
    assert all(case.what in everything for case in CASES)
    some = CliRunner().invoke(main, ["trouble", "not", "UTF-8"])
    assert some.exit_code == 0 and some.output.startswith("The file is written in another alphabet")
    number = CliRunner().invoke(main, ["trouble", "is no number"]).output
    assert "Words stand among numbers" in number, "as README has it"
    assert CliRunner().invoke(main, ["trouble", "xyzzy"]).exit_code == 1
    assert "researchkit trouble" in CliRunner().invoke(main, ["--help"]).output


def test_a_page_of_it_is_text_and_nothing_else():
    shown = trouble.catalogue()._repr_mimebundle_()
    assert shown["text/html"].count("rk-card") == len(CASES) and "What to do" in shown["text/plain"]
