"""Every attack on an answer, in the order of the page; and what the design could have seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, ResearchkitError
from researchkit.robustness import summed
from researchkit.robustness.assumptions import assumptions
from researchkit.robustness.believed import believed_causes
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.curve import specification_curve
from researchkit.robustness.designed import designed
from researchkit.robustness.doubted import in_doubt
from researchkit.robustness.equivalence import equivalence
from researchkit.robustness.influence import influence
from researchkit.robustness.linear import Linear, linearised
from researchkit.robustness.missing import missing_data
from researchkit.robustness.unmeasured import unmeasured
from researchkit.warehouse import Summed

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

PLAIN = "it is for one contrast of one exposure, and the question has a design of its own"
GRID = 2_000  # standard errors that stand for all that might have been found
Vector = NDArray[np.floating[Any]]


def attack(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """Every check, in the order of the page; each says why where it cannot run."""
    made = dataset.fingerprint
    line: Linear | str
    try:
        line = PLAIN if question.special else linearised(sample, question)
    except EstimationError as error:
        line = why_not(error, dataset.study)
    if isinstance(sample, Summed):
        model, gaps = summed.assumptions(sample, made), summed.missing_data(sample, made)
        without = summed.influence(line, sample, question, effect, dataset.study, made)
    else:
        model, gaps = of_the_model(dataset, question, effect, sample)
        without = Check("influence", made, reason=PLAIN)
        if question.special is None or question.special.refits:
            without = influence(line, dataset, question, effect, sample)
    return (
        specification_curve(line, dataset, question, effect, sample),
        unmeasured(line, dataset, question, effect, sample),
        model,
        gaps,
        without,
        *designed(dataset, question, effect, sample),
        negative_control(dataset, question),
        believed_causes(dataset, question),
        equivalence(dataset, question, effect),
        *in_doubt(dataset, question, effect, sample),
        Check("design", made, design_figures(effect.se, question.smallest_effect, df=effect.df)),
    )


def of_the_model(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, Check]:
    """What the model assumes, and what the gaps hide; a design of its own has attacks of its own instead."""
    if question.special:
        made = dataset.fingerprint
        return Check("assumptions", made, reason=PLAIN), Check("missing data", made, reason=PLAIN)
    return assumptions(sample, question, effect, dataset), missing_data(dataset, question, effect, sample)


def negative_control(dataset: Dataset, question: Question) -> Check:
    """The same exposure on something that it cannot have changed; a difference there is bias, not effect."""
    from researchkit.estimators import estimate_sample

    name = "negative control"
    if not question.negative_control:
        return Check(name, dataset.fingerprint, reason="the study names none")
    outcome = question.outcome.model_copy(update={"column": question.negative_control, "kind": "score"})
    twin = question.model_copy(update={"outcome": outcome})
    try:
        found = estimate_sample(dataset.sample(twin), twin)
    except ResearchkitError as error:
        return Check(name, dataset.fingerprint, reason=why_not(error, dataset.study))
    facts = {
        "outcome": question.negative_control,
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "p": found.p,
    }
    off = found.low > 0 or found.high < 0
    label = dataset.study.label(question.negative_control)
    mark = f"exposed: it goes with {label} too, which it cannot have changed" if off else ""
    return Check(name, dataset.fingerprint, facts, mark=mark)


def design_figures(se: float, margin: float, *, df: float | None = None, alpha: float = 0.05) -> dict[str, float]:
    """What a study with this standard error can see.

    Parameters
    ----------
    se
        Standard error of the effect, in its unit.
    margin
        The smallest effect that matters, in the same unit.
    df
        Degrees of freedom that the standard error is worth; None for the normal. With 8 clusters the normal would
        promise twice the power that there is.

    Returns
    -------
    dict
        `smallest_detectable`: the effect found four times in five; and if the true effect were `margin`: `power`, the
        factor by which a significant estimate exaggerates (`exaggeration`), the share of them of `wrong_sign`.

    References
    ----------
    Gelman and Carlin (2014), Perspectives on Psychological Science 9, 641-651 (type M and type S errors). With degrees
    of freedom the power is that of the non-central t: R `pt(qt(0.975, df), df, margin / se, lower.tail = FALSE)`.
    """
    from scipy import optimize, special

    critical = float(special.ndtri(1 - alpha / 2) if df is None else special.stdtrit(df, 1 - alpha / 2))
    # Standard errors that such a study may have found, as multiples of the true one, each as likely as the others.
    rank = (np.arange(GRID) + 0.5) / GRID
    found = np.ones(1) if df is None else np.sqrt(2 * special.gammaincinv(df / 2, rank) / df)

    def tails(z: float) -> tuple[Vector, Vector]:
        return np.asarray(special.ndtr(z - critical * found)), np.asarray(special.ndtr(-z - critical * found))

    z = margin / se
    right, wrong = tails(z)
    power = float(np.mean(right + wrong))
    # mean of |estimate| / se over the two significant tails of a normal around z
    rise, fall = (np.exp(-((critical * found - side) ** 2) / 2) / math.sqrt(2 * math.pi) for side in (z, -z))
    size = float(np.mean(z * right + rise - z * wrong + fall))
    most = critical * float(found.max()) + 2
    return {
        "smallest_detectable": optimize.brentq(lambda z: float(np.mean(tails(z)[0])) - 0.8, 0, most) * se,
        "power": power,
        "exaggeration": size / power / z,
        "wrong_sign": float(np.mean(wrong)) / power,
    }
