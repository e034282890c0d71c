"""The published results as a reader needs them: pooled where that makes sense, and what was kept out and why."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from researchkit import wording
from researchkit.claims import claim
from researchkit.errors import StudyError
from researchkit.evidence import published, scale
from researchkit.evidence.pools import RATIO, TITLES, Pool
from researchkit.evidence.pools import pools as all_pools
from researchkit.evidence.scale import Standardised
from researchkit.evidence.synthesis import Synthesis, names, small_studies, weights
from researchkit.faults import nearest
from researchkit.figures import Figure, forest
from researchkit.tables import Col, Table, frame, on_page

if TYPE_CHECKING:
    from researchkit.answer import Answer

Drawn = tuple[str, float, float, float]  # label, estimate, low, high
NORMAL = 1.959963984540054
SCALE_NOTE = (
    "On one scale: by how many standard deviations the outcome is better with much of the exposure than with little "
    "(arm against arm, or two standard deviations apart), with its 95 % interval; left out where a source does not "
    "tell enough. Effects are as printed: read designs before numbers."
)


def results(claim: str | None = None) -> Table:
    """The verified results on a claim as printed, all of them without one."""
    wanted = {
        "id": "Id",
        "citation_short": "Study",
        "design": "Design",
        "n": "n",
        "exposure": "Exposure",
        "outcome": "Outcome",
        "effect_measure": "Measure",
        "effect": "Printed effect",
    }
    found = published(claim)[list(wanted)].rename(columns=wanted)
    told = frame(found, "Published results", "As printed in the sources; scales differ: read directions and designs.")
    places = [list(found).index(name) for name in ("n", "Printed effect")]
    rows = [
        tuple(as_printed(exact[place]) if place in places else cell for place, cell in enumerate(row))
        for row, exact in zip(told.rows, found.itertuples(index=False, name=None), strict=True)
    ]
    right = tuple(Col(one.header, "right" if place in places else "left") for place, one in enumerate(told.columns))
    return replace(told, columns=right, rows=tuple(rows))


def as_printed(value: Any) -> str:
    """A number with the digits that it has: "0.16" is not the more exact "0.160"; whole ones with thousands parted."""
    if pd.isna(value) or not str(value).strip():
        return "–"
    try:
        number = float(value)
    except ValueError:
        return str(value)
    return wording.count(int(number)) if number.is_integer() else wording.typed(number)


def others(answer: Answer) -> Table:
    """This answer beside the published ones on its claim, on one scale where they can be put on it."""
    tested = claim(answer.question.claim)
    own = scale.of_effect(answer.effect, answer.sample, answer.question)
    value, low, high, unit = on_page(answer.effect)
    mean, limits = wording.estimate(value, low, high, sign=True)
    labels = [answer.study.label(part.column) for part in (answer.question.exposure, answer.question.outcome)]
    size, design = _size(answer.data["used"]), answer.study.design_of(answer.question)
    rows = [(f"This answer{size}", design, "; ".join(labels), f"{mean} ({limits}) {wording.units(unit)}", _scaled(own))]
    exact = [{"study": "This answer", **_numbers(own)}]
    found = published(tested.id)
    for _, row in found.iterrows():
        other = scale.of_published(row)
        printed = "–" if pd.isna(row["effect"]) else f"{wording.number(row['effect'])} {row['effect_measure']}"
        who, size = row["citation_short"], _size(None if pd.isna(row["n"]) else int(row["n"]))
        rows.append((f"{who}{size}", row["design"], f"{row['exposure']}; {row['outcome']}", printed, _scaled(other)))
        exact.append({"study": who, **_numbers(other)})
    headers = ("Study", "Design", "Exposure; outcome", "As printed", "On one scale")
    columns = tuple(Col(header, "right" if header == headers[-1] else "left") for header in headers)
    none = f"No published result on claim {tested.id} is in the evidence table: this answer has no prior."
    words = [tested.tension, SCALE_NOTE] if len(found) else [none]
    return Table("What others found", columns, tuple(rows), " ".join(filter(None, words)), data=pd.DataFrame(exact))


def _size(n: int | None) -> str:
    return "" if n is None else f" (n\u00a0=\u00a0{wording.count(n)})"  # not broken across lines


def _scaled(one: Standardised | None) -> str:
    if one is None:
        return "–"
    if not math.isfinite(one.se):
        return wording.number(one.estimate, sign=True)
    mean, limits = wording.estimate(
        one.estimate, one.estimate - NORMAL * one.se, one.estimate + NORMAL * one.se, sign=True
    )
    return f"{mean} ({limits})"


def _numbers(one: Standardised | None) -> dict[str, float]:
    return {"standardised": one.estimate if one else math.nan, "se": one.se if one else math.nan}


def kept_out() -> Table:
    """The results that stand in no pool, with the reason."""
    rows = published(verified_only=False)
    reasons = [
        (rows["retracted"], "retracted"),
        (~rows["verified"], "numbers from memory, seen in no public page"),
    ]
    told = [(row["id"], row["citation_short"], why) for wrong, why in reasons for _, row in rows[wrong].iterrows()]
    return Table("Listed, and in no pool", (Col("Id"), Col("Study"), Col("Why")), tuple(told))


def pools(claim: str | None = None) -> Table:
    """Every pool: the mean, where a new study would come to lie, and how far one study alone carries it."""
    rows, data = [], []
    for pool in all_pools(claim):
        made, told = pool.synthesis, _told(pool, pool.synthesis)
        alone = [pool.metric.back(one.estimate) for one in pool.without]
        moved = f"{wording.number(min(alone))} to {wording.number(max(alone))}" if alone else "–"
        other, share = _told(pool, pool.other)[0], wording.percent(made.i2, 0)
        rows.append((pool.title, wording.count(made.k), pool.metric.unit, *told, share, moved, other))
        data.append({"pool": pool.name, "studies": made.k, "metric": pool.metric.kind, **_exact(pool)})
    columns = (
        *(Col("Pool"), Col("Studies", "right"), Col("As a"), Col("Mean (95 % interval)", "right")),
        *(Col("A new study", "right"), Col("Between studies", "right"), Col("Mean without one of them", "right")),
        Col("Mean by another variance", "right"),
    )
    note = (
        f"Random effects: variance between studies by {names('REML')}; Hartung and Knapp's interval, never narrower "
        "than the plain one. “A new study” is where the true effect of another study is expected. “Between studies” is "
        f"the share of the variance that is not chance within them. The last column has the variance by {names('PM')}."
    )
    return Table("What the published results give together", columns, tuple(rows), note, data=pd.DataFrame(data))


def picture(name: str) -> Figure:
    """One pool: each study, their mean, and where a new study would come to lie."""
    pool = named(name)
    rows = [
        _back(pool, str(study), mean, mean - NORMAL * se, mean + NORMAL * se)
        for study, mean, se in zip(pool.rows["citation_short"], pool.rows["yi"], pool.rows["sei"], strict=True)
    ]
    made = pool.synthesis
    if math.isfinite(made.low):
        rows.append(_back(pool, "All of them", made.estimate, made.low, made.high))
        rows.append(_back(pool, "A new study", made.estimate, made.next_low, made.next_high))
    return forest(
        rows,
        title=pool.title,
        unit=f"{pool.metric.unit} of {pool.contrast}" if pool.metric is RATIO else pool.metric.unit,
        null=pool.metric.null,
        highlight=len(pool.rows) if math.isfinite(made.low) else None,
        name=f"pool-{pool.name.lower().replace('_', '-')}",
        caption=" ".join(pool.notes),
    )


def without(name: str) -> Table:
    """One pool with each study left out in turn: what hangs on one of them."""
    pool = named(name)
    share = weights(pool.synthesis, pool.rows["sei"])
    rows = [
        (str(study), wording.percent(part, 0), *_told(pool, one))
        for study, part, one in zip(pool.rows["citation_short"], share, pool.without, strict=False)
    ]
    rows.append(("none", "", *_told(pool, pool.synthesis)))
    columns = (
        Col("Left out"),
        Col("Its share", "right"),
        Col("Mean (95 % interval)", "right"),
        Col("A new study", "right"),
    )
    return Table(f"{pool.title}, one left out", columns, tuple(rows), _of_small(pool))


def _of_small(pool: Pool) -> str:
    """Whether small studies find more, or why that is not asked."""
    found = small_studies(pool.rows["yi"], pool.rows["sei"])
    if found is None:
        return "Whether small studies find more cannot be told from so few."
    t = f"t({found.df}) = {wording.number(found.t)}, {wording.probability(found.p)}"
    return f"Do small studies find more? Egger's test: {t}."


def named(name: str) -> Pool:
    """The pool of that name.

    Raises
    ------
    StudyError
        If there is none; says which there are.
    """
    found = {pool.name: pool for pool in all_pools()}
    if name not in found:
        raise StudyError(f"There is no pool {name!r}{nearest(name, found)}; there are {', '.join(TITLES)}.")
    return found[name]


def _back(pool: Pool, label: str, *values: float) -> Drawn:
    one, low, high = (pool.metric.back(value) for value in values)
    return label, one, low, high


def _told(pool: Pool, made: Synthesis) -> tuple[str, str]:
    """The mean with its interval, and the interval of a new study."""
    if not math.isfinite(made.low):
        return wording.number(pool.metric.back(made.estimate)), "–"
    _, estimate, low, high = _back(pool, "", made.estimate, made.low, made.high)
    mean, limits = wording.estimate(estimate, low, high)
    next_low, next_high = (pool.metric.back(end) for end in (made.next_low, made.next_high))
    return f"{mean} ({limits})", wording.interval(next_low, next_high)


def _exact(pool: Pool) -> dict[str, float]:
    made = pool.synthesis
    ends = {
        name: pool.metric.back(getattr(made, name)) for name in ("estimate", "low", "high", "next_low", "next_high")
    }
    other = {f"{name}_pm": pool.metric.back(getattr(pool.other, name)) for name in ("estimate", "low", "high")}
    return {**ends, **other, "tau2_pm": pool.other.tau2, "tau2": made.tau2, "i2": made.i2, "q": made.q, "p_q": made.p_q}
