"""What attacked the answer and what came out, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from researchkit import wording
from researchkit.errors import some
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


def _curve(check: Mapping[str, Any], answer: Any) -> str:
    scale, unit = wording.scale(answer.effect.unit)
    middle, limits = wording.estimate(scale * check["median"], scale * check["low"], scale * check["high"])
    zero = "" if check["agree"] == check["agree_on_zero"] else f"{_part(check['agree_on_zero'])} "
    told = [
        f"Of {_ways(check)}, {_part(check['agree'])} agree in sign and {zero}in whether the interval excludes zero; "
        f"the middle one gives {middle} {wording.units(unit, middle)}, all lie between "
        f"{limits.replace(' to ', ' and ')}."
    ]
    if most := check.get("moves_it_most"):
        effect = answer.effect
        without, planned = (
            wording.estimate(scale * check[name], scale * effect.low, scale * effect.high, sign=True)[0]
            for name in ("without_it", "planned")
        )
        told.append(f"What moves it most is {answer.study.label(most)}: without it {without}, with all {planned}.")
    if failed := check.get("failed_without"):
        told.append(f"The model has no answer without {some([answer.study.label(name) for name in failed])}.")
    told += _alternatives(check.get("alternatives", ()))
    if check["scale"] == "linear approximation":
        told.append("Ways to adjust are computed by straight lines, an approximation to the model of the answer.")
    return " ".join(told)


def _ways(check: Mapping[str, Any]) -> str:
    """How many ways were taken, of which kinds."""
    count, possible = check["ways_to_adjust"], check["possible"]
    others = sum(one["ran"] for one in check.get("alternatives", ()))
    planned = f"{others} planned alternative{'s' if others > 1 else ''}"
    if count == 1:
        return f"the planned way and {planned}"
    drawn = f", drawn from {wording.count(possible)}" if count < possible else ""
    if check["scale"] == "the model itself":
        drawn = " (with all, and with each left out in turn, by the model itself)"
    return f"{wording.count(count)} ways to adjust{drawn}{f' and {planned}' if others else ''}"


def _alternatives(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The planned alternatives, each with what it says, and those that say nothing with their reasons."""
    ran = [_alternative(one) for one in found if one["ran"]]
    silent = [f"{one['label']} ({one['reason']})" for one in found if not one["ran"]]
    told = [f"Planned alternatives: {'; '.join(ran)}."] if ran else []
    if far := [one["label"] for one in found if one["ran"] and not one["same_scale"]]:
        told.append(f"In steps of its own, so not in that range: {some(far)}.")
    return told + ([f"Not estimated: {'; '.join(silent)}."] if silent else [])


def _alternative(one: Mapping[str, Any]) -> str:
    scale, unit = wording.scale(one["unit"])
    value, limits = wording.estimate(*(scale * one[name] for name in ("estimate", "low", "high")), sign=True)
    unit = "" if one["same_scale"] else f" {wording.units(unit, value)}"
    n = "n not shown" if one["n"] is None else f"n = {wording.count(one['n'])}"
    return f"{one['label']} {value}{unit} ({limits}; {n}){beside(one)}"


def alternatives(answer: Any) -> Table:
    """Each planned alternative under the answer, in its own unit, and whether it agrees; or why it has no estimate."""
    found = [one for check in answer.robustness for one in check.get("alternatives", ())]
    effect = answer.effect
    own = {name: getattr(effect, name) for name in ("estimate", "low", "high", "unit", "n")}
    lines = [{"label": "The answer", "ran": True, **own}, *found]
    sides = ("", "left"), ("Estimate", "right"), ("Interval", "right"), ("n", "right"), ("Beside the answer", "left")
    level = f"Intervals are at {wording.level(effect.level)}."
    note = f"{level} All were planned in the study file." if found else "The study file plans no alternative."
    cells = tuple(_cells(one) for one in lines)
    data = pd.json_normalize(lines)
    return Table("Planned alternatives", tuple(Col(*side) for side in sides), cells, note, "alternatives", data)


def _cells(one: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    if not one["ran"]:
        return one["label"], "–", "–", "–", f"not estimated: {one['reason']}"
    scale, unit = wording.scale(one["unit"])
    value, limits = wording.estimate(*(scale * one[name] for name in ("estimate", "low", "high")), sign=True)
    n = "not shown" if one["n"] is None else wording.count(one["n"])
    parts = ""
    if "same_sign" in one:
        parts = beside(one).removeprefix(", ").removeprefix("which ") or "agrees"
        parts += "" if one["same_scale"] else ", in steps of its own"
    return one["label"], f"{value} {wording.units(unit, value)}", limits, n, parts


def beside(one: Mapping[str, Any]) -> str:
    """How a planned alternative parts with the answer, as the end of a sentence; nothing where it does not."""
    clear = one["low"] > 0 or one["high"] < 0
    if clear and not one["same_sign"]:
        return ", which is clearly the opposite"
    if not one["same_side_of_zero"]:
        return f", which {'excludes' if clear else 'includes'} zero"
    return "" if one["same_sign"] else ", with the other sign"


def _part(share: float) -> str:
    """A share as a part of a known whole; one that is not all never reads as all."""
    if share in (0, 1):
        return "all" if share else "none"
    if not 0.005 <= share < 0.995:
        return "almost all" if share > 0.5 else "almost none"
    return wording.percent(share, 0)


def _unmeasured(check: Mapping[str, Any], answer: Any) -> str:
    undo, told = "to bring the answer to nothing", []
    if (share := check.get("robustness_value")) is not None:
        rest = f"{_share(share)} of what remains of both exposure and outcome"
        told.append(f"A cause left out would have to explain {rest} {undo}{_limit(check)}.")
    if (ratio := check.get("e_value")) is not None:
        limit = check.get("e_value_of_the_limit") or 1.0
        enough = f"; to bring the interval to nothing, {wording.number(limit, 3)} is enough" if limit > 1 else ""
        cause = "In risks, it" if told else "A cause left out"
        by = f"by a risk ratio of {wording.number(ratio, 3)} each"
        told.append(f"{cause} would have to go with both exposure and outcome {by} {undo}{enough} (E-value).")
    if (partial := check.get("partial_r2")) is not None:
        told.append(f"The exposure itself explains {_share(partial)} of what the adjustment leaves of the outcome.")
    if measured := check.get("strongest_measured"):
        told.append(_beside(check, answer, answer.study.label(measured)))
    if told and check.get("scale") == "linear approximation":
        told.append("Shares are those of a straight line, an approximation to the model of the answer.")
    return " ".join(told) or _plain(check, answer)


def _limit(check: Mapping[str, Any]) -> str:
    """What brings the interval to zero, as the end of a sentence."""
    if (limit := check.get("robustness_value_of_the_limit")) is None:
        return ""
    return (
        f"; to bring the interval to zero, {_share(limit)} is enough" if limit else "; the interval holds zero as it is"
    )


def _share(share: float) -> str:
    """A share in per cent, to two digits; of one that is next to nothing no digits are worth reading."""
    return f"{wording.number(100 * share)} %" if share >= 0.001 or share == 0 else "less than 0.1 %"


def _beside(check: Mapping[str, Any], answer: Any, measured: str) -> str:
    """Where the answer could move beside a cause as strong as the strongest measured one, and twice as strong."""
    told = []
    for name, strength in (("with_one_as_strong", "no stronger"), ("with_one_twice_as_strong", "twice as strong")):
        bound = check.get(name)
        if bound and bound.get("r2_outcome", 0) < 1:  # one that explains all there is would leave no interval
            scale, unit = wording.scale(answer.effect.unit)
            ends = (scale * bound[end] for end in ("estimate", "low", "high"))
            value, limits = wording.estimate(*ends, sign=True)
            told.append(f"one {strength} could move the answer to {value} {wording.units(unit, value)} ({limits})")
    left_out = f" Left out, {'; '.join(told)}." if told else ""
    return f"The strongest measured cause is {measured}.{left_out}"


def _influence(check: Mapping[str, Any], answer: Any) -> str:
    scale, unit = wording.scale(answer.effect.unit)
    rows = check["left_out"] == "rows"
    many = wording.count(check["rows"] if rows else check["groups"])
    of = f"{many} rows" if rows else f"{many} groups by {wording.lower_first(answer.study.label(check['by']))}"
    if check["low"] is None:
        return f"Without any one of {of} there would be nothing left to compare."
    limits = wording.interval(scale * check["low"], scale * check["high"]).replace(" to ", " and ")
    told = [f"Without any one of {of} the estimate lies between {limits} {wording.units(unit)}."]
    told += _few_rows(check) if rows else [_decides(check, answer), *_matters_most(check, answer)]
    return " ".join([*(text for text in told if text), *_how(check)])


def _decides(check: Mapping[str, Any], answer: Any) -> str:
    """Whether one cluster decides about the sign, or about zero."""
    clear = answer.effect.low > 0 or answer.effect.high < 0
    zero, sign = check["decide_about_zero"], check["turn_the_sign"]
    if zero is None or sign is None:
        return "A few of them decide about the sign or about zero."
    if not clear:
        return (
            f"Without {_part(zero)} of them the interval would exclude zero." if zero else "It includes zero each time."
        )
    if not zero and not sign:
        return "None of them decides about the sign, or about zero."
    turned = f", and without {_part(sign)} the sign would turn" if sign else ""
    return f"Without {_part(zero)} of them the interval would include zero{turned}."


def _matters_most(check: Mapping[str, Any], answer: Any) -> list[str]:
    """The cluster that matters most: its name where that may be told, its share, and the answer without it."""
    scale, unit = wording.scale(answer.effect.unit)
    own, share = check["without_it"], check["its_share_of_rows"]
    which = f" is {check['matters_most']}" if check["matters_most"] else ""
    part = f" ({_share(share)} of the rows)" if share is not None else " (a few people)"
    if own is None:
        return [f"The one that matters most{which}{part}: without it there is nothing left to compare."]
    value, limits = wording.estimate(*(scale * own[end] for end in ("estimate", "low", "high")), sign=True)
    return [f"The one that matters most{which}{part}: without it {value} {wording.units(unit, value)} ({limits})."]


def _few_rows(check: Mapping[str, Any]) -> list[str]:
    """How few rows would have to go, picked to do the most harm."""
    if "rows_to_reach_zero" not in check:  # around zero a sign is chance
        return []
    told, never = [], []
    for name, does in (("to_reach_zero", "bring the interval to zero"), ("to_turn_the_sign", "turn the sign")):
        rows = check[f"rows_{name}"]
        if rows is not None:
            told.append(
                f"To {does}, {wording.count(rows)} of them ({_share(check[f'share_{name}'])}) would have to go."
            )
        elif check[f"few_{name}"]:
            told.append(f"To {does}, a few of them would have to go.")
        else:
            never.append(does)
    told += ["Such rows are picked to do the most harm; the model was fitted again without them."] if told else []
    return told + ([f"No part of them of up to a half was found that would {' or '.join(never)}."] if never else [])


def _how(check: Mapping[str, Any]) -> list[str]:
    """How the estimates without a unit were found, where it was not by the model itself."""
    ways = {
        "linear approximation": "Computed by a straight line, an approximation to the model of the answer",
        "first-order influence": "Computed to first order, as the standard error is",
        "the model itself": "The model itself was fitted without each",
    }
    if check["scale"] not in ways:
        return []
    again = "; without the one that matters most, the model itself was fitted again"
    added = again if check["left_out"] == "clusters" and check["scale"] != "the model itself" else ""
    return [f"{ways[check['scale']]}{added}."]


def _equivalence(check: Mapping[str, Any], answer: Any) -> str:
    scale, unit = wording.scale(answer.effect.unit)
    least = wording.number(scale * check["smallest_effect"])
    margin, alpha = f"{least} {wording.units(unit, least)} or more", (1 - check["level"]) / 2
    limits = wording.interval(scale * check["low"], scale * check["high"])
    how = f"{wording.level(check['level'])} interval {limits}, two one-sided tests"
    lower, upper = check["p_lower"] < alpha, check["p_upper"] < alpha
    if lower == upper:
        sides = "both sides" if lower else "neither side"
        found = f"Differences of {margin} are excluded on {sides} ({wording.probability(check['p'])}; {how})."
    else:
        out, left = ("lower", "higher") if lower else ("higher", "lower")
        p, other = (check["p_lower"], check["p_upper"]) if lower else (check["p_upper"], check["p_lower"])
        far = abs(answer.effect.estimate) >= check["smallest_effect"]
        rest = "is what was found" if far else f"is not excluded, {wording.probability(other)}"
        excluded = f"An outcome {out} by {margin} is excluded ({wording.probability(p)})"
        found = f"{excluded}; one {left} by as much {rest} ({how})."
    return f"{found} {_left_open(check, answer)}"


def _left_open(check: Mapping[str, Any], answer: Any) -> str:
    """What the interval leaves open in the claimed direction; on both sides where no difference is expected."""
    effect = answer.effect
    scale, unit = wording.scale(effect.unit)
    level, side = wording.level(effect.level), check["claimed_side"]
    far, near = (
        wording.estimate(scale * check[f"open_on_the_{name}_side"], scale * effect.low, scale * effect.high)[0]
        for name in ("claimed", "other")
    )
    if check["expected"] == "equal":
        other = "lower" if side == "higher" else "higher"
        return f"The {level} interval leaves open up to {far} {wording.units(unit, far)} {side} and {near} {other}."
    if not check["open_on_the_claimed_side"]:
        return f"In the claimed direction ({side}) the {level} interval leaves nothing open."
    return f"In the claimed direction ({side}) the {level} interval leaves open up to {far} {wording.units(unit, far)}."


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
    times, wrong = wording.number(check["exaggeration"]), check["wrong_sign"]
    size = "at about its true size" if times == "1.0" else f"{times} times too large on average"
    signs = f", {_share(wrong)} of them with the wrong sign" if wrong >= 0.001 else ""
    return (
        f"An effect of {smallest} {wording.units(unit, smallest)} would be found four times in five. Were the true "
        f"effect just the smallest that matters, {_part(check['power'])} of such studies would find it, {size}{signs}."
    )


def _plain(check: Mapping[str, Any], answer: Any) -> str:
    parts = [f"{key.replace('_', ' ')}: {shown(value)}" for key, value in check.items() if key not in _JUDGED]
    return "; ".join(parts) or "Ran, and found nothing to report."


_JUDGED = {"check", "ran", "mark", "word", "source"}  # told beside what a check found

_WRITERS = {
    "specification curve": _curve,
    "unmeasured confounder": _unmeasured,
    "influence": _influence,
    "negative control": _control,
    "equivalence": _equivalence,
    "design": _design,
}
