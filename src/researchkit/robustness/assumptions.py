"""What the model of the answer assumes, tested; and what the answer would be without it.

A large sample rejects every assumption, and a small one none. So the mark is for an assumption that is rejected and
without which the answer is another one; both answers are always told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.robustness.check import Check, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.proportional import Departure
    from researchkit.estimators.relaxed import Relaxed
    from researchkit.parts import Question

    Way = Callable[[Sample, Question, float], Relaxed]
    Test = Callable[[dict[str, list[int]], NDArray[np.int64] | None], Sequence[Departure]]

NAME = "assumptions"
STRAIGHT = "nothing to check, for between the two values of the exposure every line is straight"
SMALL = 0.01  # a p-value below this rejects the assumption
DOUBTFUL = 0.05


@dataclass(frozen=True)
class Found:
    """One assumption, its tests, and the effect without it (or the error that says why there is none).

    `p` is of the exposure, `together` of all columns; each is corrected for the number of ways to end.
    """

    assumed: str
    tests: tuple[Departure, ...]
    p: float
    together: float | None
    without: Relaxed | EstimationError

    @property
    def smallest(self) -> float:
        return self.p if self.together is None else min(self.p, self.together)


def assumptions(sample: Sample, question: Question, effect: Effect, dataset: Dataset) -> Check:
    """The assumption of the headline's model that the answer could hang on, with the answer that does not make it.

    `duration`: one hazard ratio for the whole time (proportional hazards; of each way to end, where ends compete).
    `ordered`: one odds ratio for every step (proportional odds). The others: that a numeric exposure acts in a straight
    line (on the model's log scale for `yes_no` and `counts`), tested by its square. For counts their spread is told
    too, for which the errors allow.

    The mark says that a test rejects (p < .01) and that the answer without the assumption lies outside the headline's
    interval, or stands otherwise to zero and to the smallest effect that matters.
    """
    made, study, kind = dataset.fingerprint, dataset.study, question.outcome.kind
    spread = _spread(sample, question) if kind == "counts" else None
    try:
        found = {"duration": _duration, "ordered": _ordered}.get(kind, _line)(sample, question, effect.level)
    except EstimationError as error:
        if spread is None:
            return Check(NAME, made, reason=why_not(error, study))
        return Check(NAME, made, {"dispersion": spread[0], "words": spread[1]})
    words = [f"The model assumes that {found.assumed}.", _tested(found)]
    facts: dict[str, Any] = {"assumes": found.assumed, "tests": [test.to_dict() for test in found.tests], "p": found.p}
    if isinstance(found.without, EstimationError):
        facts |= {"without": None}
        words.append(f"What the answer would be without that cannot be said: {why_not(found.without, study)}.")
    else:
        facts |= {"without": found.without.to_dict()}
        words.append(_compared(found, found.without, question, effect))
    if spread is not None:
        facts |= {"dispersion": spread[0]}
        words.append(spread[1])
    return Check(NAME, made, facts | {"words": " ".join(words)}, mark=_mark(found, question, effect))


def matters(effect: Effect, without: Relaxed, question: Question) -> bool:
    """Whether the answer without an assumption is another one than the headline."""
    if not effect.low <= without.estimate <= effect.high:
        return True
    return standing(effect.low, effect.high, question) != standing(without.low, without.high, question)


def standing(low: float, high: float, question: Question) -> str:
    """Where an interval lies: within what is too small to matter; above or below zero (or all that); or open."""
    margin = question.smallest_effect
    if -margin < low and high < margin:
        return "within"
    edge = margin if question.expect == "equal" else 0.0
    return "above" if low > edge else "below" if high < -edge else "open"


def _duration(sample: Sample, question: Question, level: float) -> Found:
    from researchkit.estimators import relaxed
    from researchkit.estimators.cox import Cox, cox
    from researchkit.estimators.design import design
    from researchkit.estimators.proportional import hazards

    columns = design(sample, question.exposure.column, intercept=False)
    matrix, names, time, entry = columns.matrix, columns.names, sample.outcome, sample.entry

    def test(fit: Cox) -> Test:
        return lambda terms, by: hazards(fit, matrix, names, time, entry=entry, terms=terms, cluster=by)

    event = np.minimum(np.asarray(sample.event, dtype=float), 2)
    ends = [code for code in (1, 2) if code in event]
    fits = [cox(time, event == code, matrix, names, entry=entry, weights=sample.weights) for code in ends]
    tests = [one for fit in fits for one in _each(sample, names, test(fit))]
    own, together = _smallest(tests)
    # Where it fails for other columns only, freeing the exposure from it would change nothing.
    others = together is not None and together < SMALL <= own and sample.entry is None
    way = relaxed.own_hazards if sample.binary_exposure and not others else relaxed.straight_time
    without = _without(way, sample, question, level)
    return Found("one hazard ratio serves for the whole time", tuple(tests), own, together, without)


def _ordered(sample: Sample, question: Question, level: float) -> Found:
    from researchkit.estimators import relaxed
    from researchkit.estimators.design import design
    from researchkit.estimators.steps import odds

    columns = design(sample, question.exposure.column, intercept=False)
    answer = np.unique(sample.outcome, return_inverse=True)[1].astype(np.int64)

    def test(terms: dict[str, list[int]], by: NDArray[np.int64] | None) -> Sequence[Departure]:
        # The likelihood ratio is no use here: with rare answers it rejects far too often.
        by = np.arange(len(answer)) if by is None else by
        matrix, names = columns.matrix, columns.names
        return odds(matrix, answer, names, weights=sample.weights, terms=terms, cluster=by, trend=True)

    tests = tuple(_each(sample, columns.names, test))
    without = _without(relaxed.top_alone, sample, question, level)
    return Found("one odds ratio serves for every step of the answer", tests, *_smallest(tests), without)


def _line(sample: Sample, question: Question, level: float) -> Found:
    from researchkit.estimators import relaxed
    from researchkit.estimators.proportional import Departure

    if sample.binary_exposure:
        raise EstimationError(STRAIGHT)
    without, square = relaxed.bent(sample, question, level)
    test = Departure(square.term, (square.estimate / square.se) ** 2, 1, square.p, method="Wald test")
    scale = {"yes_no": "the log odds move", "counts": "the logarithm of the rate moves"}
    moves = scale.get(question.outcome.kind, "the outcome moves")
    return Found(f"{moves} with the exposure in a straight line", (test,), square.p, None, without)


def _spread(sample: Sample, question: Question) -> tuple[float, str]:
    """How far counts spread, and that in words: no mark, for the errors do not take it to be that of Poisson."""
    from researchkit.estimators.relaxed import dispersion

    times = dispersion(sample, question)
    shown = wording.number(times)
    return times, f"The variance of the counts is {shown} times that of Poisson counts; the errors allow for it."


def _each(sample: Sample, names: Sequence[str], test: Test) -> Iterator[Departure]:
    """The tests of the exposure and of all columns; of two kinds of clusters that cross, the one that is less clear."""
    from researchkit.estimators.proportional import ALL

    rows = None if sample.weights is None else np.arange(len(sample.outcome), dtype=np.int64)
    clusters = [kind for kind in (sample.cluster, sample.crossed) if kind is not None]
    kinds: list[NDArray[np.int64] | None] = [*clusters] or [rows]
    terms = {names[0]: [0], **({ALL: list(range(len(names)))} if len(names) > 1 else {})}
    for term, columns in terms.items():
        try:
            yield max((test({term: columns}, kind)[0] for kind in kinds), key=lambda one: one.p)
        except EstimationError:
            if term != ALL:  # clusters may be too few for all of them, and enough for one
                raise


def _smallest(tests: Sequence[Departure]) -> tuple[float, float | None]:
    """The p-values of the exposure and of all columns, corrected for the number of ways to end (Bonferroni)."""
    from researchkit.estimators.proportional import ALL

    own, together = ([test.p for test in tests if (test.term == ALL) == whole] for whole in (False, True))
    return min(1.0, len(own) * min(own)), min(1.0, len(together) * min(together)) if together else None


def _without(way: Way, sample: Sample, question: Question, level: float) -> Relaxed | EstimationError:
    try:
        return way(sample, question, level)
    except EstimationError as error:
        return error


def _tested(found: Found) -> str:
    clear = "The data speak" if found.smallest < SMALL else "The data hardly speak"
    says = f"{clear} against it" if found.smallest < DOUBTFUL else "Nothing in the data speaks against it"
    if found.together is None:
        return f"{says} ({wording.probability(found.p)})."
    own, together = wording.probability(found.p), wording.probability(found.together)
    return f"{says} (for the exposure {own}, for all columns together {together})."


def _compared(found: Found, without: Relaxed, question: Question, effect: Effect) -> str:
    answers = f"Without that ({without.method}) the answer is {_told(without, effect)}, with it {_told(effect, effect)}"
    if found.smallest >= SMALL:
        return f"{answers}."
    hangs = "hangs" if matters(effect, without, question) else "does not hang"
    return f"{answers}: it {hangs} on the assumption."


def _told(one: Relaxed | Effect, effect: Effect) -> str:
    scale, unit = wording.scale(effect.unit)
    value, limits = wording.estimate(*(scale * part for part in (one.estimate, one.low, one.high)), sign=True)
    return f"{value} {wording.units(unit, value)} ({limits})"


def _mark(found: Found, question: Question, effect: Effect) -> str:
    without = found.without
    if found.smallest >= SMALL or isinstance(without, EstimationError) or not matters(effect, without, question):
        return ""
    told = _told(without, effect)
    return f"assumption: the data speak against it that {found.assumed}, and without that the answer is {told}"
