"""The tables of one answer: the effect, its model, who is in the data; and lists of cut-offs and claims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import disclosure, wording
from researchkit.tables.table import Col, Table


def effects(answer: Any) -> Table:
    """The effect before and after adjustment: estimate, interval, p, people, clusters."""
    rows, values = [], []
    sides = crude_and_adjusted(answer)
    for label, effect in sides:
        value, low, high, _ = on_page(effect)
        shown, limits = wording.estimate(value, low, high, sign=True)
        clusters = "none" if effect.clusters is None else wording.count(effect.clusters)
        rows.append((label, shown, limits, _p(effect.p), wording.count(effect.n), clusters))
        exact = {"row": label, "estimate": effect.estimate, "low": effect.low, "high": effect.high}
        facts = {"unit": effect.unit, "level": effect.level, "p": effect.p, "n": effect.n, "clusters": effect.clusters}
        values.append(exact | facts | {"method": effect.method})
    headers = (
        "Effect",
        f"Estimate, {on_page(answer.effect)[3]}",
        _interval_header(answer.effect),
        "p",
        "n",
        "Clusters",
    )
    columns = tuple(Col(header, "right" if place else "left") for place, header in enumerate(headers))
    note = f"{wording.capital(answer.effect.contrast)}. {sides[-1][0]}: {answer.effect.method}."
    title = "The effect, before and after adjustment" if len(sides) > 1 else "The effect"
    return Table(title, columns, tuple(rows), note, "effects", pd.DataFrame(values))


def crude_and_adjusted(answer: Any) -> list[tuple[str, Any]]:
    """The effect before and after adjustment, by name; once where nothing is adjusted for."""
    effect, crude = answer.effect, answer.crude
    if crude is None:
        return [("Adjusted", effect)]
    same = (crude.estimate, crude.low, crude.high) == (effect.estimate, effect.low, effect.high)
    if same and not answer.question.adjust:
        return [("Not adjusted", effect)]
    return [("Crude", crude), ("Adjusted", effect)]


def terms(answer: Any) -> Table:
    """Every coefficient of the model behind the headline, on the model's own scale."""
    model = answer.effect.model
    rows = []
    for term in model.terms:
        shown, limits = wording.estimate(term.estimate, term.low, term.high)
        rows.append((term.term, shown, limits, _p(term.p)))
    columns = (
        Col("Term"),
        Col(f"Coefficient ({model.scale})", "right"),
        Col(_interval_header(answer.effect), "right"),
        Col("p", "right"),
    )
    keys = ("term", "estimate", "se", "low", "high", "p")
    data = pd.DataFrame([{key: getattr(term, key) for key in keys} for term in model.terms], columns=keys)
    note = f"{model.name}; standard errors: {model.errors}. Covariates only adjust: their own rows are no effects."
    return Table("The model behind it", columns, tuple(rows), note, "terms", data)


def flow(answer: Any) -> Table:
    """Who is in the data: what arrived, what was dropped and why, what was analysed."""
    dropped = [(step["why"], step["rows"]) for step in answer.data["dropped"]]
    steps = [("Arrived", answer.data["rows"]), *dropped, ("Analysed", answer.data["used"])]
    last = len(steps) - 1
    rows = tuple(
        (str(why), f"−{_rows(n)}" if n is not None and 0 < place < last else _rows(n))
        for place, (why, n) in enumerate(steps)
    )
    note = "" if dropped else "No row was dropped."
    data = pd.DataFrame(steps, columns=["step", "rows"])
    return Table("Who is in the data", (Col("Step"), Col("Rows", "right")), rows, note, "flow", data)


def cutoffs(
    scores: Sequence[float],
    published: Iterable[Mapping[str, Any]],
    label: str = "score",
    *,
    fewest: int = 10,
    of: str = "people",
    person: NDArray[np.int64] | None = None,
) -> Table:
    """Share of people at or above each published cut-off, beside its source.

    Parameters
    ----------
    scores
        The scores, shape (n,); gaps are left out.
    of
        What each score belongs to: people, answers.
    published
        Mappings with `name`, `minimum` (in units of the score), `source` and, where it has one, `warning`.
    fewest
        A share that stands for 1 to fewest - 1 people, on either side of the cut-off, is not shown; nor is one that
        with another share tells of so few between two cut-offs.
    person
        Codes (n,) of who each score is of, where one may have several.

    Notes
    -----
    Cut-offs for burnout disagree: by the choice of rule the same people are 19 or 39 % "burned out" (PMC12612526).
    The table shows them side by side so that no single one passes for the prevalence.
    """
    every = pd.Series(scores, dtype=float)
    known, rules = every.dropna(), list(published)
    who = np.arange(len(known)) if person is None else np.asarray(person)[every.notna().to_numpy()]
    above = [(known >= rule["minimum"]).to_numpy() for rule in rules]
    rows, values = [], []
    for rule, part, safe in zip(rules, above, _safe(above, who, fewest), strict=True):
        share = float(part.mean()) if safe else None
        told = "not shown" if share is None else wording.percent(share)
        source, warning = str(rule["source"]), str(rule.get("warning") or "")
        rows.append((str(rule["name"]), wording.number(rule["minimum"]), told, source, warning))
        values.append((rule["name"], rule["minimum"], share, len(known), source))
    columns = (Col("Cut-off"), Col("At or above", "right"), Col("Share", "right"), Col("Source"), Col("Warning"))
    note = (
        f"Among {wording.count(len(known))} {of}. Rules differ, and none is a diagnosis: the mean and its interval "
        f"come first. Shares of fewer than {fewest} {of} are not shown."
    )
    data = pd.DataFrame(values, columns=["cut-off", "minimum", "share", "n", "source"])
    return Table(f"Share over each published cut-off: {label}", columns, tuple(rows), note, "cutoffs", data)


def _safe(above: Sequence[NDArray[np.bool_]], who: NDArray[np.int64], fewest: int) -> list[bool]:
    """Which shares over a cut-off may be told, where the number of all scores is known."""
    from researchkit.linked.levels import apart_together

    if not above or not len(who):
        return [False] * len(above)
    rule = disclosure.Profile("", max(fewest, 1), True, 1, "", "")
    return [not gone for gone in apart_together(who, [part for over in above for part in (over, ~over)], rule)[::2]]


def claims(items: Iterable[Any]) -> Table:
    """Claims under test: what each says, how it would be seen, and what else could explain it."""
    wanted = {
        "id": "Claim",
        "statement": "Says",
        "exposure": "Exposure",
        "outcome": "Outcome",
        "design": "Design",
        "rival": "Rival explanation",
    }
    found = [{key: _field(item, key) for key in wanted} for item in items]
    kept = [key for key in wanted if any(row[key] for row in found)]
    rows = tuple(tuple(row[key] for key in kept) for row in found)
    return Table("The claims under test", tuple(Col(wanted[key]) for key in kept), rows, "", "claims")


def on_page(effect: Any) -> tuple[float, float, float, str]:
    """Estimate, low and high in the unit that pages use, and that unit's name."""
    scale, name = wording.scale(effect.unit)
    return scale * effect.estimate, scale * effect.low, scale * effect.high, wording.units(name)


def _rows(n: int | str | None) -> str:
    """A count of the flow; one that disclosure hides says so."""
    if n is None:
        return "not shown"
    return wording.count(n) if isinstance(n, int) else str(n)


def _field(item: Any, key: str) -> str:
    value = item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)
    return "" if value is None else str(value)


def _p(p: float | None) -> str:
    return wording.probability(p).removeprefix("p = ").removeprefix("p ")


def _interval_header(effect: Any) -> str:
    return f"{wording.level(effect.level)} interval"
