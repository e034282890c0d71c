"""What a notebook tells of people among colleagues, of halves of teams, and of each against itself.

Each function takes an `Answer` whose question has one of these designs; for others it says that there is none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import figures, panel, wording
from researchkit.designs import Contagion, Halves, Within
from researchkit.disclosure import PROFILES, nearest, share
from researchkit.estimators import contagion, halves, within
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer

NOTHING = "This question compares no colleagues, no halves of teams and nobody with himself."
USUAL = "the usual panel model"


def seen(answer: Answer) -> Answer:
    """The answer with exposure and outcome as its design sees them, for pictures and groups: what colleagues were like,
    what the rest of the team says, how far each is from his own mean."""
    special, sample = answer.question.special, answer.sample
    label = answer.study.label(answer.question.exposure.column)
    if isinstance(special, Contagion):
        return named(answer, f"{label} of colleagues, a {lower(answer, special.when)} before")
    if isinstance(special, Halves):
        rest = of_the_rest(answer, special)
        known = np.isfinite(rest)
        others = replace(cut(answer, known).sample, exposure=rest[known])
        return named(replace(answer, sample=others), f"{label}, as the rest of the team says")
    if isinstance(special, Within):
        who = within.people(sample)
        away = [within.centred(values, who, sample.weights)[0] for values in (sample.exposure, sample.outcome)]
        rows = replace(sample, exposure=away[0], outcome=away[1], binary_exposure=False, arms=None)
        before = f", a {lower(answer, special.when)} before" if special.lag and special.when else ""
        outcome = answer.question.outcome
        own = outcome.label or answer.study.label(outcome.column)
        share = outcome.kind == "yes_no"
        about = {"kind": "score", "label": f"{own}, about one's own mean", "unit": "share" if share else outcome.unit}
        asked = answer.question.model_copy(update={"outcome": outcome.model_copy(update=about)})
        return named(replace(answer, sample=rows, question=asked), f"{label}{before}, about one's own mean", plain=True)
    return answer


def named(answer: Answer, label: str, *, plain: bool = False) -> Answer:
    """The answer with another name for its exposure; `plain` takes it as a number without levels."""
    update: dict[str, Any] = {"label": label} | ({"reference": None, "level": None} if plain else {})
    exposure = answer.question.exposure.model_copy(update=update)
    return replace(answer, question=answer.question.model_copy(update={"exposure": exposure}))


def cut(answer: Answer, rows: Any) -> Answer:
    """The answer with some of its rows (n,)."""
    from researchkit.robustness.jackknife import part

    return replace(answer, sample=part(answer.sample, rows))


def lower(answer: Answer, column: str | None) -> str:
    return wording.lower_first(answer.study.label(str(column)))


def of_the_rest(answer: Answer, spec: Halves) -> panel.Vector:
    """(n,) the mean rating by all others of the same team (and wave); NaN for who is alone there."""
    sample = answer.sample
    cell = halves.split_of(sample, answer.question).cell
    count = panel.total(cell, np.ones(len(cell))) - 1
    rest = (panel.total(cell, sample.exposure) - sample.exposure) / np.maximum(count, 1)
    return np.where(count > 0, rest, np.nan)


def beside(answer: Answer) -> figures.Figure | Prose:
    """The answer beside what plainer comparisons of the same rows say, which rivals can make."""
    effect, special = answer.effect, answer.question.special
    if not isinstance(special, Contagion | Halves | Within):
        return Prose((NOTHING,))
    first, *rest = effect.model.terms
    scale, unit = wording.scale(effect.unit)
    wanted = {
        contagion.EVERY: "All colleagues",
        contagion.PLAIN: "Own past not held equal",
        halves.ONE: "One person on both sides",
        halves.CORRECTED: "Corrected for error",
        within.BETWEEN + answer.sample.exposure_name: "Between people",
        within.POOLED: "Both taken together",
    }
    rows = [("The answer", first.estimate, first.low, first.high)]
    rows += [(wanted[term.term], term.estimate, term.low, term.high) for term in rest if term.term in wanted]
    usual = next((check.facts for check in answer.checks if check.name == USUAL and check.ran), None)
    if usual:
        rows.append(("The usual panel model", usual["estimate"], usual["low"], usual["high"]))
    return figures.forest(
        [(label, scale * value, scale * low, scale * high) for label, value, low, high in rows],
        title="The answer beside plainer comparisons",
        unit=wording.units(unit),
        band=figures.band(effect.unit, answer.question.smallest_effect),
        highlight=0,
        level=effect.level,
        name=f"{answer.question.id}-beside",
        caption="All are of the same rows and adjusted alike; they differ in who is compared with whom.",
    )


def compared(answer: Answer) -> Table | Prose:
    """Who is compared with whom: people, teams, times, and how much there is to compare."""
    special = answer.question.special
    if isinstance(special, Contagion):
        facts = of_contagion(answer, special)
    elif isinstance(special, Halves):
        facts = of_halves(answer, special)
    elif isinstance(special, Within):
        facts = of_within(answer, special)
    else:
        return Prose((NOTHING,))
    data = pd.DataFrame({"": list(facts), "Here": [told(value) for value in facts.values()]})
    return frame(data, "Who is compared with whom")


def told(value: float | int | str | None) -> str:
    if value is None:
        return "not shown"
    return (
        value if isinstance(value, str) else wording.count(value) if isinstance(value, int) else wording.number(value)
    )


def kinds(answer: Answer, column: str) -> int:
    """How many people, teams or times there are, rounded where the profile rounds."""
    return nearest(len(np.unique(answer.sample.more[column])), PROFILES[answer.study.disclosure])


def of_contagion(answer: Answer, spec: Contagion) -> dict[str, Any]:
    sample, new = answer.sample, answer.sample.more[panel.SHARE]
    return {
        answer.study.label(spec.who): kinds(answer, spec.who),
        answer.study.label(spec.team): kinds(answer, spec.team),
        f"{answer.study.label(spec.when)}: with one before": kinds(answer, spec.when),
        "Colleagues who are new, of all": wording.percent(float(new.mean()), 0),
        "Spread of colleagues' mean (standard deviation)": float(sample.exposure.std(ddof=1)),
        "Spread of the outcome (standard deviation)": float(sample.outcome.std(ddof=1)),
    }


def of_halves(answer: Answer, spec: Halves) -> dict[str, Any]:
    agree = {term.term: term.estimate for term in answer.effect.model.terms if term.term.startswith(halves.AGREE)}
    people = kinds(answer, spec.who) if spec.who else nearest(answer.effect.n, PROFILES[answer.study.disclosure])
    rows = len(answer.sample.outcome) / len(np.unique(halves.split_of(answer.sample, answer.question).cell))
    return {
        "People": people,
        answer.study.label(spec.team): kinds(answer, spec.team),
        "Answers of a team at a time, on average": rows,
        "Splits by lot": spec.splits,
        **{wording.capital(name): value for name, value in agree.items()},
    }


def of_within(answer: Answer, spec: Within) -> dict[str, Any]:
    sample, who = answer.sample, within.people(answer.sample)
    size = np.bincount(who)
    several = share(int((size > 1).sum()), len(size), figures_fewest(answer))
    parts = [
        float(np.mean(within.centred(values, who, None)[0] ** 2) / np.var(values))
        for values in (sample.exposure, sample.outcome)
    ]
    return {
        answer.study.label(spec.who): kinds(answer, spec.who),
        "Rows of each, on average": float(size.mean()),
        **({"Seen more than once": None if several is None else wording.percent(several, 0)} if spec.crossed else {}),
        "Of the exposure's variance, within each": wording.percent(parts[0], 0),
        "Of the outcome's variance, within each": wording.percent(parts[1], 0),
    }


def figures_fewest(answer: Answer) -> int:
    return max(PROFILES[answer.study.disclosure].threshold, 1)
