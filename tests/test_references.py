"""R's values on the package's own simulated data (tests/reference): everybody can run these, with R or without."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from researchkit.estimators import estimate_sample
from researchkit.estimators.design import design
from researchkit.estimators.likelihood import LOG, LOGIT, fitted, mean_at, shares, spread
from researchkit.estimators.linear import cr1, cr2, hc3, least_squares
from researchkit.estimators.ordered import fit
from researchkit.estimators.refuse import kish

BUILD = runpy.run_path(str(Path(__file__).with_name("test_estimators.py")))
sample, question = BUILD["sample"], BUILD["question"]


@pytest.fixture(scope="module")
def stays(held):
    frame = held.frames["stays"].copy()
    frame["weight"] = 1 + frame["age"] / 50
    frame["uneven"] = 0.2 + (frame["age"] % 7) ** 2
    frame["kind"] = (frame["compassion"] > 3.4).astype(float)
    return frame


@pytest.fixture(scope="module")
def back(stays):
    """Those of whom it is known whether they came back."""
    return stays[stays["readmitted_30d"].notna()]


def asked(frame, outcome, exposure="kind", cluster: str | None = "nurse_id", **more):
    others = {name: frame[name] for name in ("severity", "age")}
    codes = None if cluster is None else pd.factorize(frame[cluster])[0]
    return sample(
        frame[outcome] if isinstance(outcome, str) else outcome,
        frame[exposure],
        others,
        cluster=codes,
        weights=frame["uneven"].to_numpy(),
        **more,
    )


# Weights


def test_weighted_least_squares(held, stays):
    matrix = stays[["compassion", "severity", "age"]].assign(one=1.0).to_numpy()
    line = least_squares(matrix, stays["length_of_stay"].to_numpy(float), stays["weight"].to_numpy())
    assert line.coefficients[0] == held("weighted_stay", "b")
    assert np.sqrt(hc3(line).covariance[0, 0]) == held("weighted_stay", "se_hc3")


@pytest.mark.parametrize(
    ("entry", "weights", "cluster", "inside"),
    [
        ("weighted_cr2_wards", "weight", "ward", False),
        ("weighted_cr2_nurses", "uneven", "nurse_id", False),
        ("weighted_cr2_inside", "uneven", "ward", True),
    ],
)
def test_weighted_cr2_is_clubsandwichs_default(held, stays, entry, weights, cluster, inside):
    matrix = stays[["compassion", "severity", "age"]].assign(one=1.0)
    if inside:
        matrix = matrix.drop(columns="age").join(pd.get_dummies(stays["ward"], drop_first=True))
    line = least_squares(
        matrix.to_numpy(float), stays["length_of_stay"].to_numpy(float), stays[weights].to_numpy(float)
    )
    spread = cr2(line, pd.factorize(stays[cluster])[0])
    assert line.coefficients[0] == held(entry, "b")
    assert np.sqrt(spread.covariance[0, 0]) == held(entry, "se")
    assert spread.df[0] == held(entry, "df")


@pytest.mark.parametrize(
    ("entry", "outcome", "link", "cluster"),
    [
        ("svyglm_risk", "readmitted_30d", LOGIT, None),
        ("svyglm_risk_nurses", "readmitted_30d", LOGIT, "nurse_id"),
        ("svyglm_rate_nurses", "length_of_stay", LOG, "nurse_id"),
    ],
)
def test_a_surveys_differences_are_svyglms_up_to_the_factor(held, back, entry, outcome, link, cluster):
    """Its variances have G/(G-1) with clusters, n/(n-1) without; ours the same times (n-1)/(n-k), and no factor."""
    weights, n = back["uneven"].to_numpy(), len(back)
    columns = design(asked(back, outcome))
    at, information = fitted(link, columns.matrix, back[outcome].to_numpy(float), weights)
    scores = columns.matrix * (weights * (back[outcome].to_numpy(float) - link.mean(columns.matrix @ at)))[:, None]
    codes = None if cluster is None else pd.factorize(back[cluster])[0]
    covariance = spread(information, scores, codes, robust=True).covariance
    factor = np.sqrt((n - 4) / (n - 1) if cluster else n / (n - 1))
    one, none = (mean_at(link, columns.at(arm), at, shares(weights, n)) for arm in (1.0, 0.0))
    gradient = one.gradient - none.gradient
    assert one.value - none.value == held(entry, "value")
    assert factor * np.sqrt(gradient @ covariance @ gradient) == held(entry, "se")
    raw, spread_of_raw = columns.raw(at, covariance)
    assert (raw[0], factor * np.sqrt(spread_of_raw[0, 0])) == (held(entry, "b"), held(entry, "se_b"))
    kind = "yes_no" if link is LOGIT else "counts"
    effect = estimate_sample(asked(back, outcome, cluster=cluster), question(kind))
    assert effect.estimate == held(entry, "value")
    assert effect.se == pytest.approx(held.values[entry]["se"], rel=0.2)  # CR2 with clusters
    assert effect.method.endswith(", weighted")


def test_a_surveys_cr1_is_svyglms_up_to_the_factor(held, back):
    matrix = back[["kind", "severity", "age"]].assign(one=1.0).to_numpy(float)
    line = least_squares(matrix, back["length_of_stay"].to_numpy(float), back["uneven"].to_numpy())
    variance = cr1(line, pd.factorize(back["nurse_id"])[0]).covariance[0, 0]
    assert line.coefficients[0] == held("svyglm_mean_nurses", "b")
    assert np.sqrt(variance * (len(back) - 4) / (len(back) - 1)) == held("svyglm_mean_nurses", "se")


def test_a_surveys_odds_ratio_of_answering_higher_is_svyolrs(held, back):
    """svyolr's maximum is good to some 5 digits, its errors to fewer: their information is a numerical Hessian."""
    steps = np.minimum(back["length_of_stay"], 5) - back["length_of_stay"].min()
    effect = estimate_sample(asked(back, steps), question("ordered", top=[str(int(steps.max()))]))
    term, (n, k) = effect.model.terms[0], (len(back), 3 + len(np.unique(steps)) - 1)
    assert term.estimate == held("svyolr_nurses", "b", 1e-4)
    columns = design(asked(back, steps), intercept=False)
    _, information, scores = fit(columns.matrix, steps.to_numpy(int), back["uneven"].to_numpy(), columns.names)
    variance = spread(information, scores, pd.factorize(back["nurse_id"])[0], robust=True).covariance[0, 0]
    se = np.sqrt(variance * (n - k) / (n - 1)) / columns.scale[0]
    assert se == held("svyolr_nurses", "se", 1e-3)


def test_weights_that_make_few_rows_count_are_noted(held, back):
    assert kish(back["uneven"].to_numpy()) == held("svyolr_nurses", "worth")
    assert not any(
        "uneven" in note for note in estimate_sample(asked(back, "length_of_stay"), question("counts")).notes
    )
    few = back.assign(uneven=back["uneven"] ** 3)
    (note,) = [n for n in estimate_sample(asked(few, "length_of_stay"), question("counts")).notes if "uneven" in n]
    assert note.startswith(f"uneven weights: {len(back)} rows are worth")
