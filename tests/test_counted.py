"""Counts that a disclosure profile lets an effect tell: rounded, roughly, or not at all."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from designed import question, sample

from researchkit.disclosure import PROFILES
from researchkit.errors import DisclosureError
from researchkit.estimators.counted import alone, as_shown, of_people, persons, refuse_few, remarks
from researchkit.estimators.effect import Count, Effect, Model


def effect(n=137, clusters=None, df=None, notes=()):
    model = Model("a", "b", (), "c")
    return Effect("score", 1.0, 0.5, 0.0, 2.0, 0.95, 0.05, "point", "c", "m", n, clusters, df, model, {}, notes)


def study(disclosure, people="person"):
    return SimpleNamespace(
        disclosure=disclosure,
        table_of=lambda _: "stays",
        tables={"stays": SimpleNamespace(people=people), "other": SimpleNamespace(people="agent")},
    )


def rows(people=137, **more):
    return replace(sample(np.arange(137.0), np.arange(137.0), **more), people=people)


PROTECTED = [name for name, profile in PROFILES.items() if profile.protects]
ROUNDED = [name for name in PROTECTED if PROFILES[name].round_to > 1]


def nearest(count, step):
    return step * int(count / step + 0.5)


def test_there_are_profiles_of_each_kind():
    assert PROTECTED and ROUNDED and len(PROTECTED) < len(PROFILES)


@pytest.mark.parametrize("name", [name for name in PROFILES if name not in PROTECTED])
def test_without_protection_an_effect_is_what_it_is(name):
    own = effect(clusters=3, df=2.0, notes=(Count("12 % of the rows have it"), "few clusters: 3 (person)"))
    for way in (as_shown, alone):
        assert way(own, question(), study(name), rows(people=1, cluster=np.arange(137) % 3)) is own


@pytest.mark.parametrize("name", PROTECTED)
def test_too_few_people_are_told_nothing_about(name):
    threshold = PROFILES[name].threshold
    for people in (threshold - 1, 1):
        with pytest.raises(DisclosureError) as refused:
            refuse_few(people, study(name))
        assert str(refused.value) == (
            f"Too few people for the disclosure profile {PROFILES[name].label!r}, which shows nothing about fewer than "
            f"{threshold}, nor anything from which, with the other pages, so few could be worked out."
        )
        with pytest.raises(DisclosureError):
            alone(effect(), question(), study(name), rows(people))
    refuse_few(10 * threshold, study(name))
    as_shown(effect(), question(), study(name), rows(1))  # an answer has looked before


@pytest.mark.parametrize("name", ROUNDED)
def test_rows_and_degrees_of_freedom_of_an_answer_are_rounded(name):
    step = PROFILES[name].round_to
    own = as_shown(effect(df=121.7), question(), study(name), rows())
    assert own.n == nearest(137, step) and own.df == nearest(121, step) and isinstance(own.df, float)
    assert own.clusters is None and own.estimate == 1.0
    assert as_shown(effect(), question(), study(name), rows()).df is None


@pytest.mark.parametrize("name", [name for name in PROTECTED if name not in ROUNDED])
def test_a_profile_that_does_not_round_leaves_degrees_of_freedom(name):
    own = as_shown(effect(df=121.7), question(), study(name), rows())
    assert (own.n, own.df) == (137, 121.7)


@pytest.mark.parametrize("name", PROTECTED)
def test_an_effect_asked_for_alone_tells_about_how_many(name):
    own = alone(effect(df=121.7, notes=("all 137 rows are of one month",)), question(), study(name), rows())
    assert own.n == 137 and own.df == 121.7  # its numbers are what they are
    assert own.about == nearest(137, PROFILES[name].round_to if name in ROUNDED else 10)
    assert own.rows == f"about {own.about}" and own.notes == (f"all {own.about} rows are of one month",)


def test_clusters_are_people_where_the_table_says_so():
    for told, found in (
        ({"cluster": np.arange(137), "cluster_name": "person"}, True),
        ({"cluster": np.arange(137), "crossed": np.arange(137), "crossed_name": "person"}, True),
        ({"cluster": np.arange(137)}, False),  # agents
        ({}, False),
    ):
        assert persons(question(), study("none"), rows(**told)) is found


def test_a_count_of_people_is_told_as_one_and_that_of_teams_as_it_is():
    profile = PROFILES[ROUNDED[0]]
    step, threshold = profile.round_to, profile.threshold
    notes = (
        "few clusters: 17 (person)",
        "few clusters: 17; so few",
        f"few clusters: {threshold - 1} on one side (person)",
        "rows by 17 (person)",
    )
    own = of_people(effect(clusters=137, notes=notes), 140, True, profile)
    assert own.clusters == nearest(137, step)
    assert own.notes == (
        f"few clusters: {nearest(17, step)} (person)",
        f"few clusters: {nearest(17, step)}; so few",
        f"few clusters: fewer than {threshold} on one side (person)",
        "rows by 17 (person)",
    )
    other = of_people(effect(clusters=137, notes=notes), 140, False, profile)
    assert (other.clusters, other.notes) == (137, notes)
    assert of_people(effect(), 140, True, profile).clusters is None


@pytest.mark.parametrize(
    ("note", "told"),
    [
        (Count("12 % of the rows have a propensity below 0.05"), None),
        (Count("among others 31 were such"), None),
        ("31 days at most", "31 days at most"),
        ("few clusters: 17; fewer than 20 leave it open", "few clusters: 17; fewer than 20 leave it open"),
        (
            "uneven weights: 137 rows are worth 12 of equal weight",
            "uneven weights: 140 rows are worth 12 of equal weight",
        ),
        ("few events: fewer than 25", "few events: fewer than 25"),
    ],
)
def test_notes_that_are_counts_are_left_out(note, told):
    found = list(remarks(effect(notes=(note, "last")), 140, False, PROFILES[ROUNDED[0]]))
    assert found == ([] if told is None else [told]) + ["last"]
