"""What attacked the answer and what came out, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from researchkit import wording
from researchkit.tables.table import Col, Table, shown


def checks(answer: Any) -> Table:
    """What attacked the answer and what came out, one row a check; one that could not run says why."""
    found = answer.robustness
    rows = tuple((wording.capital(str(item["check"])), finding(item, answer)) for item in found)
    title = "The answer, attacked"
    return Table(title, (Col("Check"), Col("What came out")), rows, "", "checks", pd.json_normalize(found))


def finding(check: Mapping[str, Any], answer: Any) -> str:
    """What one check found, in words; its own words where it brings any."""
    if not check.get("ran", True):
        return f"Could not run: {check.get('reason') or 'no reason was given'}."
    if told := check.get("words") or check.get("sentence"):
        return str(told)
    writer = _WRITERS.get(str(check["check"]), _plain)
    try:
        return writer(check, answer)
    except (KeyError, TypeError):  # a check that learnt other facts, or hides one, still says all that it carries
        return _plain(check, answer)


def _left_out(check: Mapping[str, Any], answer: Any) -> str:
    scale, unit = wording.scale(answer.effect.unit)
    limits = wording.interval(scale * check["low"], scale * check["high"]).replace(" to ", " and ")
    effect = answer.effect
    without, _ = wording.estimate(scale * check["without_it"], scale * effect.low, scale * effect.high, sign=True)
    return (
        f"{wording.count(check['specifications'])} ways to leave one out: {wording.percent(check['agree'], 0)} keep "
        f"the sign, and the estimates lie between {limits} {wording.units(unit)}. What moves it most is "
        f"{answer.study.label(check['moves_it_most'])}: without it, {without}."
    )


def _curve(check: Mapping[str, Any], answer: Any) -> str:
    scale, unit = wording.scale(answer.effect.unit)
    middle, limits = wording.estimate(scale * check["median"], scale * check["low"], scale * check["high"])
    ways, possible = (wording.count(check[name]) for name in ("specifications", "possible"))
    of = f"{ways} ways to adjust" if ways == possible else f"{ways} ways to adjust, drawn from {possible}"
    told = [
        f"Of {of}, {wording.percent(check['agree'], 0)} agree in sign and {wording.percent(check['agree_on_zero'], 0)} "
        f"in whether the interval excludes zero; the middle one gives {middle} {wording.units(unit, middle)}, all lie "
        f"between {limits.replace(' to ', ' and ')}."
    ]
    effect, most = answer.effect, answer.study.label(check["moves_it_most"])
    without, planned = (
        wording.estimate(scale * check[name], scale * effect.low, scale * effect.high, sign=True)[0]
        for name in ("without_it", "planned")
    )
    told.append(f"What moves it most is {most}: without it {without}, with all {planned}.")
    if check["scale"] != "linear":
        told.append("Computed by straight lines, an approximation to the model of the answer.")
    return " ".join(told)


def _unmeasured(check: Mapping[str, Any], answer: Any) -> str:
    undo, told = "to bring the answer to nothing", []
    if (share := check.get("robustness_value")) is not None:
        rest = f"{wording.percent(share)} of what remains of both exposure and outcome"
        told.append(f"A cause left out would have to explain {rest} {undo}.")
    if (ratio := check.get("e_value")) is not None:
        by = f"by a risk ratio of {wording.number(ratio)} each"
        told.append(f"A cause left out would have to go with both exposure and outcome {by} {undo} (E-value).")
    if (limit := check.get("e_value_of_the_limit")) is not None:
        told.append(f"To bring the interval to nothing, {wording.number(limit)} is enough.")
    if measured := check.get("strongest_measured"):
        told.append(_beside(check, answer, answer.study.label(measured)))
    return " ".join(told) or _plain(check, answer)


def _beside(check: Mapping[str, Any], answer: Any, measured: str) -> str:
    """Where the answer could move beside a cause as strong as the strongest measured one, and twice as strong."""
    told = []
    for name, strength in (("with_one_as_strong", "no stronger"), ("with_one_twice_as_strong", "twice as strong")):
        if bound := check.get(name):
            scale, unit = wording.scale(answer.effect.unit)
            ends = (scale * bound[end] for end in ("estimate", "low", "high"))
            value, limits = wording.estimate(*ends, sign=True)
            told.append(f"one {strength} could move the answer to {value} {wording.units(unit, value)} ({limits})")
    left_out = f" Left out, {'; '.join(told)}." if told else ""
    return f"The strongest measured cause is {measured}.{left_out}"


def _control(check: Mapping[str, Any], answer: Any) -> str:
    estimate, limits = wording.estimate(check["estimate"], check["low"], check["high"], sign=True)
    clean = check["low"] <= 0 <= check["high"]
    bias = "a difference where none can be caused: bias, and perhaps in the answer too"
    name = wording.capital(answer.study.label(check["outcome"]))
    found = "no sign of bias" if clean else bias
    return f"{name}, which the exposure cannot have changed: {estimate} ({limits}). That is {found}."


def _design(check: Mapping[str, Any], answer: Any) -> str:
    scale, unit = wording.scale(answer.effect.unit)
    smallest = wording.number(scale * check["smallest_detectable"])
    return (
        f"An effect of {smallest} {wording.units(unit, smallest)} would be found four times in five. Were the true "
        f"effect just the smallest that matters, {wording.percent(check['power'], 0)} of such studies would find it, "
        f"{wording.number(check['exaggeration'])} times too large on average, and "
        f"{wording.percent(check['wrong_sign'])} of those with the wrong sign."
    )


def _plain(check: Mapping[str, Any], answer: Any) -> str:
    parts = [f"{key.replace('_', ' ')}: {shown(value)}" for key, value in check.items() if key not in {"check", "ran"}]
    return "; ".join(parts) or "Ran, and found nothing to report."


_WRITERS = {
    "each adjustment left out": _left_out,
    "specification curve": _curve,
    "unmeasured confounder": _unmeasured,
    "negative control": _control,
    "design": _design,
}
