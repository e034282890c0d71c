"""Colleagues of before: the columns held equal, what stands beside the answer, and what teams that never change share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import question, sample

from researchkit import panel
from researchkit.errors import EstimationError
from researchkit.estimators import contagion as room
from researchkit.estimators import score
from researchkit.estimators.multilevel import icc

ASKED = question(contagion={"who": "who", "team": "team", "when": "when"}, outcome={"unit": "point"})


def drawn(n=120, *, seed=3, share=0.5, same=False, need=True, shared=0.0, **given):
    """Rows as `panel` arranges them: 10 teams over 3 waves, colleagues of before by chance."""
    rng = np.random.default_rng(seed)
    team, wave = np.arange(n) % 10, np.arange(n) % 3
    parts = {
        panel.NEW: rng.normal(size=n),
        panel.OLD: 0.5 * rng.normal(size=n),
        panel.SHARE: np.where(rng.random(n) < 0.5, 2 * share * rng.random(n), share) if share else np.zeros(n),
        panel.EXPECTED: 0.2 * rng.normal(size=n),
        panel.OWN: rng.normal(4, 2, size=n),
        panel.OWN_EXPOSURE: rng.normal(size=n),
        panel.WAVE: 4.0 + 2 * wave,
    }
    if same:  # exposure and outcome are one column
        parts[panel.OWN_EXPOSURE] = parts[panel.OWN].copy()
    outcome = 0.3 * parts[panel.NEW] + 0.2 * parts[panel.OWN] + rng.normal(size=n)
    outcome += shared * rng.normal(size=(10, 3))[team, wave]
    more = {"who": np.arange(n) // 3.0, "team": np.array(list("abcdefghij"), dtype=object)[team], **parts}
    return sample(outcome, rng.normal(size=n), {"need": rng.normal(size=n)} if need else {}, more, **given)


def by_hand(asked, names, exposure):
    """The sample whose columns are those of these names, with errors by team."""
    more = asked.more
    columns = {
        "from colleagues of before": more[panel.OLD],
        "share of new colleagues": more[panel.SHARE],
        "new colleagues by lot": more[panel.EXPECTED],
        "own earlier outcome": more[panel.OWN],
        "own earlier exposure": more[panel.OWN_EXPOSURE],
        "wave 2": (more[panel.WAVE] == 6).astype(float),
        "wave 3": (more[panel.WAVE] == 8).astype(float),
    }
    covariates = np.column_stack([*(columns[name] for name in names), asked.covariates])
    team = np.unique(more["team"], return_inverse=True)[1]
    return replace(
        asked,
        exposure=exposure,
        covariates=covariates,
        names=(*names, *asked.names),
        groups=(*names, *asked.groups),
        cluster=team if asked.cluster is None else asked.cluster,
        cluster_name="team" if asked.cluster is None else asked.cluster_name,
    )


OWN = ("own earlier outcome", "own earlier exposure")
WAVES = ("wave 2", "wave 3")
MIXED = ("from colleagues of before", "share of new colleagues", "new colleagues by lot")


def numbers_of(term):
    return (term.estimate, term.se, term.low, term.high, term.p)


@pytest.mark.parametrize("clusters", [None, 15])
def test_mixed_teams_answer_from_new_colleagues(clusters):
    given = {} if clusters is None else {"cluster": np.arange(120) % 15, "cluster_name": "site"}
    asked = drawn(**given)
    effect = room.contagion(asked, ASKED, 0.9)
    new, old = asked.more[panel.NEW], asked.more[panel.OLD]
    plain = score.score(by_hand(asked, (*MIXED, *OWN, *WAVES), new), ASKED, 0.9)
    every = score.score(by_hand(asked, (*OWN, *WAVES), new + old), ASKED, 0.9)
    crude = score.score(by_hand(asked, WAVES, new + old), ASKED, 0.9)
    terms = effect.model.terms
    assert [term.term for term in terms] == [
        "from new colleagues",
        *(MIXED + OWN + WAVES),
        "need",
        "Intercept",
        "from all colleagues",
        "all colleagues, own earlier value not held equal",
    ]
    for term, other in zip(terms, (*plain.model.terms, every.model.terms[0], crude.model.terms[0]), strict=True):
        assert numbers_of(term) == pytest.approx(numbers_of(other)), term.term
    assert numbers_of(effect) == pytest.approx(numbers_of(terms[0]))
    columns = by_hand(asked, (*MIXED, *OWN, *WAVES), new).covariates
    fit = np.linalg.lstsq(np.column_stack([new, columns, np.ones(120)]), asked.outcome, rcond=None)[0]
    assert [term.estimate for term in terms[: len(fit)]] == pytest.approx(fit)
    by = "site" if clusters else "team"
    assert effect.method == (
        "leave-one-out mean of new colleagues, least squares, CR2 errors clustered by "
        f"{by}, Satterthwaite degrees of freedom"
    )
    assert effect.model.name == "least squares on colleagues' earlier values"
    assert (effect.kind, effect.unit, effect.contrast) == ("score", "point", "care of colleagues the time before +1")
    assert (effect.n, effect.clusters, effect.level) == (120, clusters or 10, 0.9)
    assert effect.notes == (f"few clusters: {clusters or 10} ({by})",)


def test_fixed_teams_answer_from_all_colleagues_and_say_so():
    asked = drawn(share=0.0)
    effect = room.contagion(asked, ASKED)
    every = score.score(by_hand(asked, (*OWN, *WAVES), asked.more[panel.NEW] + asked.more[panel.OLD]), ASKED)
    crude = score.score(by_hand(asked, WAVES, asked.more[panel.NEW] + asked.more[panel.OLD]), ASKED)
    terms = effect.model.terms
    names = ["from all colleagues", *OWN, *WAVES, "need", "Intercept", room.PLAIN]
    assert [term.term for term in terms] == names
    for term, other in zip(terms, (*every.model.terms, crude.model.terms[0]), strict=True):
        assert numbers_of(term) == pytest.approx(numbers_of(other))
    assert effect.level == 0.95
    assert effect.method.startswith("leave-one-out mean of colleagues, least squares, CR2")
    alike = "teams never change: what spreads among colleagues and what they share look alike"
    assert effect.notes == ("few clusters: 10 (team)", alike)
    shared = room.contagion(drawn(share=0.0, shared=2.0), ASKED)
    assert shared.notes[1] == (
        "assumption fails: teams never change, and what is left unexplained of colleagues at one time is alike, so "
        "they share something; what spreads among them cannot be told from it"
    )


def test_one_in_twenty_who_is_new_makes_teams_that_change():
    asked = drawn(n=100)
    for new, moves in ((5, True), (4, False)):
        share = (np.arange(100) < new).astype(float)
        moved = replace(asked, more={**asked.more, panel.SHARE: share})
        assert room.moving(moved) is moves
        assert room.contagion(moved, ASKED).model.terms[0].term == (room.MOVED if moves else room.EVERY)


def test_what_never_varies_or_stands_there_already_is_not_held_equal():
    asked = drawn(same=True, need=False)
    assert room.design_of(asked, mixed=None).names == ("own earlier outcome", *WAVES)
    assert room.design_of(asked, mixed=True).names == (*MIXED, "own earlier outcome", *WAVES)
    one_wave = replace(asked, more={**asked.more, panel.WAVE: np.full(120, 3.0), panel.SHARE: np.full(120, 0.5)})
    found = room.design_of(one_wave, mixed=True)
    assert found.names == found.groups == (MIXED[0], MIXED[2], "own earlier outcome")
    assert found.covariates.shape == (120, 3)
    nothing = room.design_of(one_wave, mixed=None, own=False)
    assert nothing.names == () and nothing.covariates.shape == (120, 0)
    assert np.array_equal(nothing.exposure, asked.more[panel.NEW] + asked.more[panel.OLD])


def test_other_teams_may_stand_in_for_those_there_were():
    asked = drawn()
    rng = np.random.default_rng(8)
    mean, new, old, share, expected = rng.normal(size=(5, 120))
    found = room.design_of(asked, mixed=True, parts=panel.Parts(mean, new, old, share, expected, np.ones(120)))
    assert np.array_equal(found.exposure, new)
    assert np.array_equal(found.covariates[:, :3], np.column_stack([old, share, expected]))
    assert np.array_equal(found.covariates[:, 3], asked.more[panel.OWN])


def test_errors_are_shared_within_teams_unless_clusters_are_named():
    asked = drawn()
    own = room.clustered(asked)
    assert own.cluster_name == "team"
    assert np.array_equal(own.cluster, np.arange(120) % 10)
    named = replace(asked, cluster=np.arange(120) % 7, cluster_name="site")
    assert room.clustered(named) is named


@pytest.mark.parametrize("n", [120, 117, 75])
def test_what_colleagues_of_a_time_have_in_common_is_the_intraclass_correlation(n):
    """From expected mean squares: with P the projection on cells and J that on the constant, E of the sum of squares
    between is tr(Z'(P - J)Z) times the variance between cells and (G - 1) times that within."""
    asked = drawn(n, shared=1.0)
    found = by_hand(asked, (*OWN, *WAVES), asked.more[panel.NEW] + asked.more[panel.OLD])
    columns = np.column_stack([found.exposure, found.covariates, np.ones(n)])
    rest = asked.outcome - columns @ np.linalg.lstsq(columns, asked.outcome, rcond=None)[0]
    keep = np.arange(n) % 7 > 0 if n == 117 else np.ones(n, dtype=bool)  # cells of unequal size
    cut = {"outcome": asked.outcome[keep], "exposure": asked.exposure[keep], "covariates": asked.covariates[keep]}
    asked = replace(asked, **cut, more={name: values[keep] for name, values in asked.more.items()})
    if not keep.all():
        found = by_hand(asked, (*OWN, *WAVES), asked.more[panel.NEW] + asked.more[panel.OLD])
        columns = np.column_stack([found.exposure, found.covariates, np.ones(keep.sum())])
        rest = asked.outcome - columns @ np.linalg.lstsq(columns, asked.outcome, rcond=None)[0]
    cells = [f"{team} {wave}" for team, wave in zip(asked.more["team"], asked.more[panel.WAVE], strict=True)]
    z = (np.array(cells)[:, None] == np.unique(cells)).astype(float)
    size, groups = z.shape
    on_cells, on_one = z @ np.linalg.inv(z.T @ z) @ z.T, np.full((size, size), 1 / size)
    between = rest @ (on_cells - on_one) @ rest / (groups - 1)
    within = rest @ (np.eye(size) - on_cells) @ rest / (size - groups)
    weight = np.trace(z.T @ (on_cells - on_one) @ z) / (groups - 1)
    across = (between - within) / weight
    assert room.in_common(asked) == pytest.approx(across / (across + within))
    if n == 120:  # 30 cells of 4: the same as the formula for teams of one size
        assert room.in_common(asked) == pytest.approx(icc(rest, np.array(cells))[0])


def test_the_limit_of_what_may_be_in_common(monkeypatch):
    asked = drawn(share=0.0, shared=0.5)
    common = room.in_common(asked)
    effect = room.contagion(asked, ASKED)
    monkeypatch.setattr(room, "ALIKE", common)
    assert room.fixed(asked, effect)[0].startswith("teams never change: ")
    monkeypatch.setattr(room, "ALIKE", common - 1e-9)
    assert room.fixed(asked, effect)[0].startswith("assumption fails: ")


def test_nothing_is_in_common_where_everybody_or_nobody_is_a_colleague():
    asked = drawn(30)
    assert len({*zip(asked.more["team"], asked.more[panel.WAVE], strict=True)}) == 30
    assert room.in_common(asked) == 0.0, "each alone"
    one = {"team": np.full(30, "a", dtype=object), panel.WAVE: np.full(30, 4.0)}
    assert room.in_common(replace(asked, more={**asked.more, **one})) == 0.0, "one team at one time"
    two = {"team": np.repeat(np.array(["a", "b"], dtype=object), 15), panel.WAVE: np.full(30, 4.0)}
    assert room.in_common(replace(asked, more={**asked.more, **two})) != 0.0


def test_shares_are_told_as_probabilities():
    asked = drawn()
    told = question("yes_no", contagion={"who": "who", "team": "team", "when": "when"})
    effect = room.contagion(replace(asked, outcome=(asked.outcome > 1).astype(float)), told)
    assert (effect.kind, effect.unit, effect.model.scale) == ("yes_no", "probability", "probability")
    assert room.as_score(ASKED).outcome.unit == "point" and room.as_score(ASKED).outcome.kind == "score"


def test_nobody_with_an_earlier_answer_is_refused():
    empty = replace(drawn(), outcome=np.empty(0))
    with pytest.raises(EstimationError) as caught:
        room.contagion(empty, ASKED)
    assert str(caught.value) == (
        "Question 'q': nobody has both an earlier answer of his or her own and one of a colleague."
    )


def test_a_term_is_found_by_its_name():
    effect = room.contagion(drawn(), ASKED)
    assert room.named(effect, "share of new colleagues") == effect.model.terms[2]
    assert room.named(effect, "none such") is None
