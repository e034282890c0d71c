"""What a mean over raters is worth, from the variances that scores are split into, by hand; REML in test_multilevel."""

from __future__ import annotations

import numpy as np
import pytest

from researchkit.scales import Generalisability, generalise

TWO = Generalisability({"person": 2.0, "rater": 0.5, "person x rater": 1.0}, 30, 2)
THREE = Generalisability(
    {
        "person": 2.0,
        "rater": 0.5,
        "occasion": 0.25,
        "person x rater": 1.0,
        "person x occasion": 0.6,
        "rater x occasion": 0.8,
        "person x rater x occasion": 1.2,
    },
    30,
    2,
    2,
)


def test_worth_of_a_mean_over_raters():
    """Brennan (2001), pages 35 and 36: noise is divided by raters, and for levels the raters' own strictness counts."""
    assert [TWO.relative(raters) for raters in (1, 2, 4)] == pytest.approx([2 / 3, 2 / 2.5, 2 / 2.25])
    assert [TWO.absolute(raters) for raters in (1, 2, 4)] == pytest.approx([2 / 3.5, 2 / 2.75, 2 / 2.375])
    assert TWO.relative(2, 7) == TWO.relative(2) and TWO.absolute(2, 7) == TWO.absolute(2)  # there was one occasion


def test_worth_of_a_mean_over_raters_and_occasions():
    noise = 1 / 2 + 0.6 / 3 + 1.2 / 6
    assert THREE.relative(2, 3) == pytest.approx(2 / (2 + noise))
    assert THREE.absolute(2, 3) == pytest.approx(2 / (2 + noise + 0.5 / 2 + 0.25 / 3 + 0.8 / 6))
    assert THREE.relative(2) == THREE.relative(2, 1) and THREE.absolute(2) == THREE.absolute(2, 1)


def test_how_many_raters_are_needed():
    assert [TWO.raters_for(least) for least in (0.6, 2 / 3, 0.7, 0.8, 0.81)] == [1, 1, 2, 2, 3]
    assert (TWO.raters_for(0.9, most=4), TWO.raters_for(0.9, most=5)) == (None, 5)
    assert (TWO.raters_for(2 / (2 + 1 / 50)), TWO.raters_for(2 / (2 + 1 / 50) + 1e-6)) == (50, None)
    assert THREE.raters_for(0.6) == THREE.raters_for(0.6, occasions=1) > THREE.raters_for(0.6, occasions=4)


def test_nobody_differing_is_worth_nothing():
    flat = {"person": 0.0, "rater": 0.5, "person x rater": 1.0}
    assert Generalisability(flat, 3, 2).relative(2) == 0.0
    assert Generalisability(flat | {"person x rater": 0.0}, 3, 2).relative(2) == 0.0
    tiny = {name: value / 1000 for name, value in TWO.components.items()}
    assert Generalisability(tiny, 3, 2).relative(2) == pytest.approx(0.8)
    certain = Generalisability({"person": 2.0, "rater": 0.0, "person x rater": 0.0}, 3, 2)
    assert certain.relative(1) == certain.absolute(1) == 1.0


@pytest.mark.parametrize("shape", [(12, 4), (12, 4, 3)])
def test_a_component_below_nought_by_chance_is_nought_and_units_do_not_matter(shape):
    """Where one rater's order is the other's turned round, persons differ less than their noise."""
    rng = np.random.default_rng(7)
    turned = np.zeros(shape)
    turned[:, ::2] = np.arange(12.0).reshape(-1, *[1] * (len(shape) - 1))
    turned[:, 1::2] = -turned[:, ::2]
    turned += rng.normal(0, 0.01, shape)
    found = generalise(turned)
    assert found.components["person"] == 0.0 and found.relative(4, 3) == 0.0
    ratings = rng.normal(size=(12, *[1] * (len(shape) - 1))) + rng.normal(size=shape)
    one, other = generalise(ratings), generalise(0.01 * ratings)
    assert {name: value / 1e4 for name, value in one.components.items()} == pytest.approx(other.components)
    assert other.relative(3, 2) == pytest.approx(one.relative(3, 2))
