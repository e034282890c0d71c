"""Which published results stand together, what was kept out, and how it is told."""

from __future__ import annotations

import math

import pytest

from researchkit import review
from researchkit.errors import EstimationError, StudyError
from researchkit.evidence import published
from researchkit.evidence.pools import METRICS, TITLES, parted, pool, pools


def rows(*ids):
    return published(verified_only=False).set_index("id", drop=False).loc[list(ids)]


def test_every_pool_of_the_table_is_named_and_made():
    named = published()["pool_set"].replace("", None).dropna()
    many = {name for name, count in named.value_counts().items() if count > 1}
    assert many == set(TITLES) == {one.name for one in pools()}


def test_a_claim_has_the_pools_that_hold_a_result_on_it():
    assert [one.name for one in pools("LOY-2")] == ["SAT_R"]
    assert pools("CUL-9") == ()


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (("E01",), "fewer than two"),
        (("E01", "E02"), "E01 and E02: they are of the same people"),
        (("E01", "E86"), "E86: the numbers were not seen"),
        (("E62", "E01"), "E62: the publication was retracted"),
        (("E18", "E22"), "E18: they are syntheses themselves"),
        (("E01", "E22"), "different contrasts"),
        (("E01", "E03"), "E03: no effect with its standard error"),
        (("E47", "E01"), "E47: their metric is one that cannot be pooled"),
        (("E10", "E01"), "different contrasts"),
    ],
)
def test_what_must_not_be_pooled_is_refused_by_its_reason(ids, words):
    with pytest.raises(EstimationError, match=words):
        pool(rows(*ids))


def test_all_reasons_come_at_once():
    with pytest.raises(EstimationError) as told:
        pool(rows("E62", "E86", "E01", "E02"))
    assert all(words in str(told.value) for words in ("retracted", "not seen", "same people"))


def test_every_metric_of_the_table_is_told_apart():
    told = {parted(text)[0] for text in published()["yi_metric"] if text}
    assert told <= {*METRICS, ""}
    assert parted("lnOR of the bad outcome, high v low compassion") == (
        "lnOR",
        "the bad outcome, high v low compassion",
    )
    assert parted("d, benefit positive") == ("d", "benefit positive")
    assert parted("Fisher z of r") == ("Fisher z", "r")
    assert parted("MISS points")[0] == ""


def test_what_is_told_is_what_was_computed():
    one = review.named("REC_OBS")
    table = review.pools("REC-1")
    line = table.data.set_index("pool").loc["REC_OBS"]
    assert line["estimate"] == math.exp(one.synthesis.estimate)
    assert line["low"] < line["estimate"] < line["high"] < 1
    figure = review.picture("REC_OBS")
    assert len(figure.data) == len(one.rows) + 2
    assert list(figure.data["label"][-2:]) == ["All of them", "A new study"]
    assert figure.data["estimate"].iloc[0] == pytest.approx(math.exp(one.rows["yi"][0]))
    assert "hazard ratios" in figure.caption


def test_two_studies_are_shown_without_a_mean():
    figure = review.picture("LOY_LEAVE")
    assert list(figure.data["label"]) == ["Safran et al. 2001", "Federman et al. 2001"]
    assert "would tell nothing" in figure.caption
    assert review.without("LOY_LEAVE").rows[-1][0] == "none"


def test_the_kept_out_are_shown_with_their_reason():
    told = {row[0]: row[2] for row in review.kept_out().rows}
    assert set(told) == {"E62", "E86", "E91", "E92"}
    assert told["E62"] == "retracted"


def test_an_unknown_pool_names_the_nearest():
    with pytest.raises(StudyError, match="REC_OBS"):
        review.named("REC_OBSERVED")


def test_a_result_without_a_pool_is_still_listed():
    assert len(review.results("REC-1").rows) == len(published("REC-1"))
