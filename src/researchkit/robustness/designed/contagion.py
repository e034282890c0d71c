"""Attacks on contagion: teams by lot, like seek like, and what colleagues share."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from researchkit import panel, wording
from researchkit.designs import Contagion
from researchkit.errors import ResearchkitError
from researchkit.estimators import contagion as rooms
from researchkit.estimators import score
from researchkit.estimators.effect import Vector
from researchkit.robustness.check import Check, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

DRAWS = 400
SEED = 20251101  # the same data give the same draws
FIXED = "teams never change: what spreads among colleagues and what they share look alike"


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    mixed, made = rooms.moving(sample), dataset.fingerprint
    try:
        return (
            by_lot(dataset, question, effect, sample, mixed),
            alike(question, effect, sample, mixed, made),
            shared(effect, sample, mixed, made),
        )
    except ResearchkitError as error:
        return (Check("teams by lot", made, reason=why_not(error, dataset.study)),)


def by_lot(dataset: Dataset, question: Question, effect: Effect, sample: Sample, mixed: bool) -> Check:
    """The answer again and again with the same people in teams drawn by lot, where nothing can spread but by chance.

    Their mean shows how far the mean of the others leans against one's own value; the answer has to lie beyond them.
    """
    roster = panel.roster_of(question, cast(Contagion, question.contagion), dataset.frame)
    rng, places = np.random.default_rng(SEED), sample.more[panel.PLACE].astype(int)
    found = np.array([drawn(roster, sample, places, mixed, rng) for _ in range(DRAWS)])
    p = float((np.sum(np.abs(found - found.mean()) >= abs(effect.estimate - found.mean())) + 1) / (DRAWS + 1))
    low, high = np.quantile(found, [0.025, 0.975])
    scale, unit = wording.scale(effect.unit)
    span = f"{wording.interval(scale * low, scale * high)} {wording.units(unit)}"
    where = "beyond them" if p < 1 - effect.level else "among them"
    words = (
        f"With the same people in teams drawn by lot, 95 of 100 answers lie in {span}, around "
        f"{wording.number(scale * float(found.mean()), sign=True)}: there nothing can spread. The answer, "
        f"{wording.number(scale * effect.estimate, sign=True)}, lies {where} ({wording.probability(p)})."
    )
    lost = p >= 1 - effect.level and (effect.low > 0 or effect.high < 0)
    facts = {
        "draws": DRAWS,
        "mean": float(found.mean()),
        "low": float(low),
        "high": float(high),
        "p": p,
        "words": words,
    }
    mark = "not beyond what teams drawn by lot would give" if lost else ""
    return Check("teams by lot", dataset.fingerprint, facts, mark=mark)


def drawn(roster: panel.Roster, sample: Sample, places: np.ndarray, mixed: bool, rng: np.random.Generator) -> float:
    """The answer with the teams of each wave (and pool) dealt out anew."""
    order = np.lexsort((rng.random(len(roster.team)), roster.cell))
    team = np.empty_like(roster.team)
    team[np.lexsort((np.arange(len(order)), roster.cell))] = roster.team[order]
    parts = roster.parts(team)
    here = panel.Parts(*(getattr(parts, name)[places] for name in parts.__dataclass_fields__))
    return coefficient(rooms.design_of(sample, mixed=mixed, parts=here), sample.outcome)


def coefficient(sample: Sample, outcome: Vector) -> float:
    columns = np.column_stack([sample.exposure, sample.covariates, np.ones(len(outcome))])
    return float(np.linalg.lstsq(columns, outcome, rcond=None)[0][0])


def alike(question: Question, effect: Effect, sample: Sample, mixed: bool, made: str) -> Check:
    """Whether people and their new colleagues were alike before they met, which a lot would not make."""
    if not mixed:
        return Check(
            "like seek like", made, reason="teams never change, so nobody is seen before he meets his colleagues"
        )
    from dataclasses import replace

    before = replace(sample, outcome=sample.more[panel.OWN_EXPOSURE])
    found = score.score(rooms.design_of(before, mixed=True, own=False), rooms.as_score(question), effect.level)
    value, limits = wording.estimate(found.estimate, found.low, found.high, sign=True)
    off = found.low > 0 or found.high < 0
    words = (
        f"Before they met, people {'were' if off else 'were not clearly'} like or unlike their new colleagues: "
        f"{value} points per point ({limits}; {wording.probability(found.p)})."
    )
    facts = {"estimate": found.estimate, "low": found.low, "high": found.high, "p": found.p, "words": words}
    mark = "sorted: people and their new colleagues were alike, or unlike, before they met" if off else ""
    return Check("like seek like", made, facts, mark=mark)


def shared(effect: Effect, sample: Sample, mixed: bool, made: str) -> Check:
    """How much of what is left unexplained colleagues of one time have in common, and what those say who only stay."""
    common = rooms.in_common(sample)
    words = f"Of what is left unexplained, {wording.percent(max(common, 0.0), 0)} is common to colleagues of one time."
    if not mixed:
        seen = any(note.startswith("assumption fails") for note in effect.notes)
        told = f"{words} Teams never change, so this cannot be told from spreading."
        return Check("shared surroundings", made, {"common": common, "words": told}, mark="" if seen else FIXED)
    facts, stayed = {"common": common, "words": words}, rooms.named(effect, rooms.STAYED)
    if stayed is not None and np.isfinite(stayed.p):
        scale, unit = wording.scale(effect.unit)
        value, limits = wording.estimate(
            *(scale * one for one in (stayed.estimate, stayed.low, stayed.high)), sign=True
        )
        facts["words"] = (
            f"{words} New colleagues were elsewhere the time before and could not share it. Those who were in the same "
            f"team already say {value} {wording.units(unit)} ({limits})."
        )
    return Check("shared surroundings", made, facts)
