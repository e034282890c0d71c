"""The claims: all there, all whole, and a misspelt one helped along."""

from collections import Counter
from dataclasses import FrozenInstanceError, fields

import pytest

from researchkit.claims import Claim, articles, claim, claims
from researchkit.errors import StudyError

# As counted in the reading of the five articles.
SIZES = {"loyalty": 6, "recovery": 6, "burnout": 8, "mechanism": 7, "culture": 9, "practice": 8, "channel": 4}
PREFIX = {
    "loyalty": "LOY",
    "recovery": "REC",
    "burnout": "BUR",
    "mechanism": "MEC",
    "culture": "CUL",
    "practice": "PRA",
    "channel": "CHA",
}


def test_there_are_48_claims_in_seven_groups():
    assert Counter(one.group for one in claims()) == SIZES
    assert len({one.id for one in claims()}) == 48


def test_ids_count_up_within_their_group():
    expected = [f"{PREFIX[group]}-{n}" for group, size in SIZES.items() for n in range(1, size + 1)]
    assert [one.id for one in claims()] == expected


@pytest.mark.parametrize("field", [f.name for f in fields(Claim) if f.name not in ("counter", "tension")])
def test_no_field_is_empty(field):
    hollow = [one.id for one in claims() if not getattr(one, field) or getattr(one, field) in ("-", ["-"])]
    assert hollow == []


def test_each_claim_comes_from_a_known_article_and_each_article_makes_a_claim():
    keys = [article.key for article in articles()]
    assert keys == ["A", "B", "C", "D", "E"]
    assert {key for one in claims() for key in one.articles} == set(keys)


def test_articles_are_described_not_named_by_a_file():
    for article in articles():
        told = f"{article.title} {article.author} {article.publisher}"
        assert ".txt" not in told and article.title and article.publisher


def test_the_articles_own_counter_claims_are_marked():
    assert [one.id for one in claims() if one.counter] == ["BUR-4", "CUL-8", "PRA-1"]


def test_a_claim_is_found_by_id_and_cannot_be_changed():
    found = claim("REC-3")
    assert found.outcome.startswith("time to recovery")
    with pytest.raises(FrozenInstanceError):
        found.statement = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("wrong", "hint"), [("LOY_1", "did you mean LOY-1"), ("rec-9", "REC-"), ("nonsense", "lists all 48")]
)
def test_an_unknown_claim_is_refused_with_the_nearest(wrong, hint):
    with pytest.raises(StudyError, match=hint):
        claim(wrong)
