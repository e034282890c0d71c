"""What a notebook tells about one answer: what was planned, how it runs, what it cannot tell, how it was made.

Each function takes an `Answer` and gives something to show: a table, a figure or a paragraph. Every word about the
data comes from the answer; the prose of the notebook around it fits any study.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import figures, sums, tables, wording
from researchkit.claims import articles, claim
from researchkit.disclosure import PROFILES, nearest
from researchkit.errors import EstimationError
from researchkit.linked import levels as linked
from researchkit.linked.times import safe_times
from researchkit.protocol import standing
from researchkit.rivals import faced
from researchkit.simulate.planted import planted
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from researchkit.answer import Answer
    from researchkit.parts import Question
    from researchkit.study import Study


def asked(study: Study, question: Question) -> Table:
    """What the study file said before anyone looked."""
    tested, titles = claim(question.claim), {article.key: article for article in articles()}
    share = question.outcome.kind in ("yes_no", "ordered") and not question.outcome.nps
    scale, unit = wording.scale("probability" if share else question.outcome.unit or "units")
    smallest = wording.number(scale * question.smallest_effect)
    expected = {
        "better": "better outcomes",
        "worse": "worse outcomes (a claim against)",
        "equal": "no difference that matters",
        "not worse": "not worse by the smallest effect that matters",
    }
    built = {name: str(study.events[name]) for name in question.columns if name in study.events}
    made = study.heard_in(study.table_of(question))
    coded = {
        own: study.transcripts[own] for own in dict.fromkeys(made[name] for name in question.columns if name in made)
    }
    rows = {
        f"Claim {tested.id}": tested.statement,
        "Said in": "; ".join(titles[key].title for key in tested.articles),
        "Exposure": study.label(question.exposure.column),
        "Outcome": question.outcome.label or study.label(question.outcome.column),
        **{f"Built: {study.label(name)}": how for name, how in built.items()},
        **{f"Coded: {one.label or name}": str(one) for name, one in coded.items()},
        "Adjusted for": ", ".join(study.label(name) for name in question.adjust) or "nothing",
        "Smallest effect that matters": f"{smallest} {wording.units(unit, smallest)}",
        "Expected": expected[question.expect],
        **(question.special.rows(study.label) if question.special else {}),
        "Design": study.design_of(question),
        "Plan": plan_words(study, question),
        **other_explanations(study, question),
    }
    data = pd.DataFrame({"": list(rows), "What the study file says": list(rows.values())})
    return frame(data, "What was asked")


def other_explanations(study: Study, question: Question) -> dict[str, str]:
    """What else could be behind the claim: what the plan faces, and by what, and what it leaves open."""
    told = faced(study, question)
    met = "; ".join(f"{one.what} ({one.by})" for one in told if one.word == "faced")
    return {
        "Other explanations faced": met or "none",
        "Other explanations left open": "; ".join(one.what for one in told if one.word == "open") or "none",
    }


def plan_words(study: Study, question: Question) -> str:
    """How the question stands to the plan, with what has changed and the hash to compare with what was deposited."""
    plan = standing(study, question)
    changes = f". Changed: {'; '.join(plan.changes)}" if plan.changes else ""
    return f"{plan.words}{changes}{f' ({plan.sha256})' if plan.sha256 else ''}"


def picture(answer: Answer) -> figures.Figure | Prose:
    """How the outcome runs over the exposure: curves for durations, means or shares for the rest."""
    if answer.question.outcome.kind != "duration":
        try:
            return figures.dose(answer.dataset, answer.question, fewest=fewest(answer), sample=answer.sample)
        except EstimationError as error:  # every group is too small to be shown; the answer stands without it
            return Prose((str(error),))
    horizon, unit = answer.question.outcome.horizon or 0.0, answer.question.outcome.unit or "unit of time"
    profile, sample, parts = PROFILES[answer.study.disclosure], answer.sample, thirds(answer)
    met = ended(answer) == 1
    times = safe_times(sample.outcome, met, sample.person, list(parts.values()), horizon, profile)
    if not times or not all(linked.told_groups(sample, answer.question, profile, None)[1]):
        return Prose(("A group has too few people, or too few who met the event, for curves to be shown.",))
    curves = [figures.Curve(name, *course(answer, rows)) for name, rows in parts.items()]
    title = answer.question.outcome.label or answer.study.label(answer.question.outcome.column)
    return figures.curves(
        curves,
        horizon=horizon,
        unit=wording.units(unit),
        title=title,
        name=f"{answer.question.id}-curves",
        fewest=fewest(answer),
        times=times if profile.protects else None,
    )


def curve(answer: Answer) -> figures.Figure | Prose:
    """Every way to adjust, sorted, and the planned alternatives, in the outcome's unit; or why there is none."""
    check = next(check for check in answer.checks if check.name == "specification curve")
    if not check.ran:
        return Prose((f"No curve is drawn: {check.reason}.",))
    scale, unit = wording.scale(answer.effect.unit)
    ways, others = (
        [(label, scale * estimate, scale * low, scale * high) for label, estimate, low, high in found]
        for found in (check.ways, check.alternatives)
    )
    limits = figures.band(answer.effect.unit, answer.question.smallest_effect)
    name = f"{answer.question.id}-specifications"
    unit = wording.units(unit)
    return figures.specifications(ways, planned=0, alternatives=others, unit=unit, band=limits, name=name)


def fewest(answer: Answer) -> int:
    """The smallest group that the study's profile lets be shown."""
    return max(PROFILES[answer.study.disclosure].threshold, 1)


def course(answer: Answer, rows: NDArray[np.bool_]) -> tuple[Any, ...]:
    """Times, share still without the event, its limits and who is at risk, for some rows of the sample.

    Where another end competes (a death before recovery), those who met it count as still without the event.
    """
    from researchkit.estimators.survival import cumulative_incidence, survival_curve

    time, event, entry = answer.sample.outcome[rows], ended(answer)[rows], answer.sample.entry
    late = None if entry is None else entry[rows]
    if answer.question.outcome.competing:
        curve = cumulative_incidence(time, event, 1, late)
        return curve.times, 1 - curve.value, 1 - curve.high, 1 - curve.low, curve.at_risk
    curve = survival_curve(time, (event == 1).astype(float), late)
    return curve.times, curve.value, curve.low, curve.high, curve.at_risk


def ended(answer: Answer) -> NDArray[np.float64]:
    """How each row ended: 0 not yet, 1 by the event, 2 and up otherwise."""
    events = answer.sample.event
    return np.zeros(len(answer.sample.outcome)) if events is None else np.asarray(events, dtype=float)


def thirds(answer: Answer) -> dict[str, NDArray[np.bool_]]:
    """The rows of each level of a coded exposure, or of each third of a measured one.

    Where small groups are hidden, thirds are not told by their ends, each of which is one person's own value.
    """
    question = answer.question
    parts = linked.thirds(answer.sample, question)
    if answer.sample.arms:
        column = answer.study.columns.get(question.exposure.column)
        codes = column.codes if column else {}
        return dict(zip((codes.get(code, code) for code in answer.sample.arms), parts, strict=True))
    label, values = answer.study.label(question.exposure.column), answer.sample.exposure * question.exposure.per
    if fewest(answer) > 1 and len(np.unique(values)) > linked.MOST_LEVELS:
        names = {3: ("lowest third", "middle third", "highest third")}.get(len(parts), ("lower part", "upper part"))
        return {f"{label}, {name}": rows for name, rows in zip(names, parts, strict=False)}
    return {f"{label}, {between(values[rows])}": rows for rows in parts}


def between(values: NDArray[np.float64]) -> str:
    """From where to where a group's values run, to three digits."""
    low, high = (wording.number(float(value), 3) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def groups(answer: Answer) -> Table | Prose:
    """The outcome in each third of the exposure: NPS, time to the event, change from baseline, or the mean."""
    from researchkit.figures.levels import share_of

    if sums.rowless(answer):
        return sums.groups(answer, fewest(answer))
    tell = {"duration": restricted, "change": from_baseline}.get(answer.question.outcome.kind, means)
    parts, profile = thirds(answer), PROFILES[answer.study.disclosure]
    safe = linked.told_groups(answer.sample, answer.question, profile, share_of(answer.sample, answer.question))[1]
    shown = [part for part, one in zip(parts.items(), safe, strict=True) if one]
    told = [{"Group": name, "n": nearest(int(rows.sum()), profile), **tell(answer, rows)} for name, rows in shown]
    if not told:
        return Prose((f"Every group could single out fewer than {fewest(answer)} people, so none is shown.",))
    note = "Read these beside the adjusted effect, never instead of it."
    note += " Groups that could single out a few people are left out." if len(told) < len(parts) else ""
    return frame(pd.DataFrame(told), "By exposure, not adjusted", note)


def means(answer: Answer, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Mean, share or net promoter score with its interval, which knows of clusters, weights and observed time."""
    from researchkit.figures.levels import as_counted, mean_interval, share_of

    sample, (name, values) = answer.sample, counted(answer)
    weights = np.ones(len(values)) if sample.weights is None else sample.weights
    if answer.question.outcome.kind == "counts" and sample.offset_time is not None:
        weights = weights * sample.offset_time
    cluster = None if sample.cluster is None else sample.cluster[rows]
    mean, low, high = mean_interval(values[rows], weights[rows], cluster)
    if sample.weights is None and (side := share_of(sample, answer.question)) is not None:
        profile = PROFILES[answer.study.disclosure]
        mean, low, high = as_counted((mean, low, high), int((side & rows).sum()), int(rows.sum()), profile)
    if answer.question.outcome.nps and cluster is None and sample.weights is None:
        from researchkit.estimators.promoters import nps

        # A promoter, one in between and a detractor, as answers: an interval for shares, exact where they are few.
        _, _, low, high = nps(np.select([values[rows] > 0, values[rows] == 0], [10.0, 8.0], 0.0))
    return {name: mean, "95 % interval": wording.interval(low, high)}


def counted(answer: Answer) -> tuple[str, NDArray[np.float64]]:
    """What the mean of a group is called, and the value of each row that it is the mean of.

    A promoter counts 100, a detractor -100 and the others 0, so that their mean is the net promoter score.
    """
    outcome, values = answer.question.outcome, answer.sample.outcome
    if outcome.kind == "yes_no":
        return "Per cent", 100 * values
    if outcome.kind == "counts" and answer.sample.offset_time is not None:
        return f"Rate ({outcome.unit or 'events per time'})", values / answer.sample.offset_time
    if outcome.kind != "ordered":
        return f"Mean ({outcome.unit})" if outcome.unit else "Mean", values
    from researchkit.estimators.ordered import counts_as

    worth = counts_as(answer.sample, answer.question, np.arange(len(answer.sample.levels)))[values.astype(int)]
    return ("NPS", worth) if outcome.nps else ("Per cent in the top group", 100 * worth)


def restricted(answer: Answer, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Mean time up to the horizon, or, where another end competes, the share that met the event by then.

    No interval where people share clusters: the simple one would be too narrow. No mean where nobody of the group was
    watched to the horizon.
    """
    from researchkit.estimators.survival import cumulative_incidence, restricted_mean

    time, event, horizon = answer.sample.outcome[rows], ended(answer)[rows], answer.question.outcome.horizon or 0.0
    late = None if answer.sample.entry is None else answer.sample.entry[rows]
    if answer.question.outcome.competing:
        curve = cumulative_incidence(time, event, 1, late)
        value, _, low, high = (100 * part for part in curve.at(horizon))
        name = f"Per cent by {wording.typed(horizon)}"
    else:
        name = f"Mean time up to {wording.typed(horizon)}"
        try:
            value, se = restricted_mean(time, (event == 1).astype(float), horizon, late)
        except EstimationError:
            return {name: None}
        low, high = value - 1.96 * se, value + 1.96 * se
    return (
        {name: value}
        if answer.sample.cluster is not None
        else {name: value, "95 % interval": wording.interval(low, high)}
    )


def from_baseline(answer: Answer, rows: NDArray[np.bool_]) -> dict[str, Any]:
    """Means before and after; the change alone is no effect, for who starts high falls by himself."""
    before = np.zeros(int(rows.sum())) if answer.sample.baseline is None else answer.sample.baseline[rows]
    after = answer.sample.outcome[rows]
    return {"Before": before.mean(), "After": after.mean(), "Change": (after - before).mean()}


def doubts(answer: Answer) -> Prose:
    """What this answer cannot tell: the rival explanation, the design, and who is missing."""
    tested = claim(answer.question.claim)
    told = [f"The strongest other explanation: {tested.rival}"]
    if answer.study.design_of(answer.question) == "observational":
        told.append(
            "Nobody drew lots here. What was not measured, or was left out of the adjustment, may explain all of it."
        )
    used, rows = answer.data["used"], answer.data["rows"]
    if used is not None and rows and used < rows:
        gone = wording.percent(1 - used / rows)
        told.append(f"{gone} of the rows that arrived are not in it; it speaks for them only if they differ by chance.")
    told += list(answer.effect.notes)
    return Prose(tuple(told))


def seen(answer: Answer) -> Prose:
    """What this study could have seen, and what its interval leaves open, whatever came out."""
    found = {check["check"]: check for check in answer.robustness if check["ran"]}
    told = [tables.finding(found[name], answer) for name in ("design", "equivalence") if name in found]
    return Prose(tuple(told) or ("What it could have seen cannot be told.",))


def cutoffs(answer: Answer) -> Table | Prose:
    """The share over each published cut-off of the instrument behind the outcome, each with source and warning."""
    from researchkit.scales import burnout_cutoffs

    scale = answer.study.scales.get(answer.question.outcome.column)
    if scale is None or not scale.instrument:
        return Prose(("The outcome is no scale with a published key, so no cut-off is shown.",))
    instrument, _, part = scale.instrument.partition("/")
    lines = [line for line in burnout_cutoffs(instrument) if line.scale in ("all", part.rpartition("/")[2])]
    if sums.rowless(answer):
        return Prose(("The rows stay in place, so shares over cut-offs are not counted.",))
    published = [
        {
            "name": f"{line.label} ({wording.typed(line.at)} {line.direction})",
            "minimum": line.at,
            "source": line.source,
            "warning": line.warning,
        }
        for line in lines
    ]
    label = answer.study.label(answer.question.outcome.column)
    of = answer.study.tables[answer.dataset.table].rows
    scores, person = answer.sample.outcome.tolist(), answer.sample.person
    return tables.cutoffs(scores, published, label, fewest=fewest(answer), of=of, person=person)


def truth(answer: Answer) -> Table | Prose:
    """In a simulated world: what was planted, beside the simple and the fair comparison."""
    if not answer.study.simulated:
        return Prose(("These data were measured, not made: nobody knows the truth.",))
    found = planted(answer.study, answer.question.id)
    if not found:
        return Prose(("These data are simulated, and no truth of this question lies beside the study file.",))
    scale, unit = wording.scale(answer.effect.unit)
    rows = [{"": "Truth", "Value": wording.number(scale * found["truth"]), "95 % interval": "", "Holds the truth": ""}]
    for name, effect in (("Simple comparison", answer.crude), ("Fair comparison", answer.effect)):
        value, limits_ = wording.estimate(scale * effect.estimate, scale * effect.low, scale * effect.high)
        inside = effect.low <= found["truth"] <= effect.high
        rows.append({"": name, "Value": value, "95 % interval": limits_, "Holds the truth": "yes" if inside else "no"})
    return frame(pd.DataFrame(rows), "The truth, and who found it", f"In {wording.units(unit)}. {found['how']}")
