"""The answer attacked: what could undo it, and what this study could have seen.

Each check is a `Check` made from one dataset; one that cannot run stays in the list with its reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit.errors import ResearchkitError

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question


@dataclass(frozen=True)
class Check:
    """One attack on the answer: what came out, or why it could not run."""

    name: str
    fingerprint: str
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    mark: str = ""

    @property
    def ran(self) -> bool:
        return self.reason is None

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"check": self.name, "ran": self.ran, **self.facts}
        return told if self.ran else {**told, "reason": self.reason}


def attack(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """Every check of this version, in the order of the page."""
    made = dataset.fingerprint
    return (
        leave_one_out(dataset, question, effect),
        unmeasured(sample, question, effect, made),
        negative_control(dataset, question),
        Check("design", made, design_figures(effect.se, question.smallest_effect)),
    )


def leave_one_out(dataset: Dataset, question: Question, effect: Effect) -> Check:
    """The effect with each adjustment left out in turn: which one the answer hangs on."""
    from researchkit.estimators import estimate

    name = "each adjustment left out"
    if not question.adjust:
        return Check(name, dataset.fingerprint, reason="the question names nothing to adjust for")
    shifts: dict[str, float] = {}
    try:
        for out in question.adjust:
            rest = [one for one in question.adjust if one != out]
            shifts[out] = estimate(dataset, question, adjust=rest).estimate
    except ResearchkitError as error:
        return Check(name, dataset.fingerprint, reason=str(error))
    agree = float(np.mean([math.copysign(1, value) == math.copysign(1, effect.estimate) for value in shifts.values()]))
    most = max(shifts, key=lambda out: abs(shifts[out] - effect.estimate))
    facts = {
        "specifications": len(shifts),
        "agree": agree,
        "low": min(shifts.values()),
        "high": max(shifts.values()),
        "moves_it_most": most,
        "without_it": shifts[most],
    }
    turned = effect.low * effect.high > 0 and agree < 1
    mark = f"fragile: without {dataset.study.label(most)} the sign turns" if turned else ""
    return Check(name, dataset.fingerprint, facts, mark=mark)


def unmeasured(sample: Sample, question: Question, effect: Effect, made: str) -> Check:
    """How strong an unmeasured cause of both would have to be to bring the estimate to zero.

    Robustness value after Cinelli and Hazlett (2020), JRSS-B 82, 39-67, eq. 14 with q = 1, for linear models; E-value
    after VanderWeele and Ding (2017), Ann Intern Med 167, 268-274, for the risk ratio of yes/no outcomes.
    """
    name = "unmeasured confounder"
    if effect.unit == "probability":
        risk = share(sample, question, effect)
        ratio, nearer = risk_ratio(effect.estimate, risk), risk_ratio(limit_nearer_zero(effect), risk)
        return Check(name, made, {"e_value": e_value(ratio), "e_value_of_the_limit": e_value(nearer)})
    if effect.kind not in ("score", "change"):
        return Check(name, made, reason="for this kind of outcome there is no agreed measure on its own scale")
    strength = partial_r2(sample)
    facts = {"robustness_value": robustness_value(strength["exposure"]), "partial_r2": strength["exposure"]}
    return Check(name, made, facts)


def share(sample: Sample, question: Question, effect: Effect) -> float:
    """The mean chance of the outcome: of a yes, or of the top group."""
    if effect.kind == "yes_no":
        return float(sample.outcome.mean())
    top = [
        place
        for place, value in enumerate(sample.level_values)
        if value in {float(one) for one in question.outcome.top}
    ]
    return float(np.isin(sample.outcome, top).mean())


def risk_ratio(difference: float, risk: float) -> float:
    """The risk ratio of a difference around the mean risk, kept away from impossible risks."""
    return max(risk + difference / 2, 1e-6) / max(risk - difference / 2, 1e-6)


def limit_nearer_zero(effect: Effect) -> float:
    if effect.low <= 0 <= effect.high:
        return 0.0
    return effect.low if effect.low > 0 else effect.high


def partial_r2(sample: Sample) -> dict[str, float]:
    """Share of the outcome's remaining variance that goes with the exposure, given the covariates."""
    extra = [sample.baseline[:, None]] if sample.baseline is not None else []
    given = np.column_stack([np.ones(len(sample.outcome)), *extra, sample.covariates])
    outcome, exposure = (rest(values, given) for values in (sample.outcome, sample.exposure))
    total = float(outcome @ outcome) * float(exposure @ exposure)
    return {"exposure": float(outcome @ exposure) ** 2 / total if total > 0 else 0.0}


def rest(values: np.ndarray, given: np.ndarray) -> np.ndarray:
    """What is left of `values` once the columns of `given` have explained what they can."""
    return values - given @ np.linalg.lstsq(given, values, rcond=None)[0]


def robustness_value(partial: float) -> float:
    """The partial R² with exposure and with outcome that an unmeasured cause would need (Cinelli and Hazlett 2020)."""
    f2 = partial / (1 - partial) if partial < 1 else math.inf
    return 0.5 * (math.sqrt(f2 * f2 + 4 * f2) - f2) if math.isfinite(f2) else 1.0


def e_value(ratio: float) -> float:
    """The risk ratio with exposure and with outcome that an unmeasured cause would need (VanderWeele and Ding 2017)."""
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))


def negative_control(dataset: Dataset, question: Question) -> Check:
    """The same exposure on something that it cannot have changed; a difference there is bias, not effect."""
    from researchkit.estimators import estimate

    name = "negative control"
    if not question.negative_control:
        return Check(name, dataset.fingerprint, reason="the study names none")
    outcome = question.outcome.model_copy(update={"column": question.negative_control, "kind": "score"})
    twin = question.model_copy(update={"outcome": outcome})
    try:
        found = estimate(dataset, twin)
    except ResearchkitError as error:
        return Check(name, dataset.fingerprint, reason=str(error))
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


def design_figures(se: float, margin: float, *, alpha: float = 0.05) -> dict[str, float]:
    """What a study with this standard error can see, by the normal distribution.

    Parameters
    ----------
    se
        Standard error of the effect, in its unit.
    margin
        The smallest effect that matters, in the same unit.

    Returns
    -------
    dict
        `smallest_detectable`: the effect found four times in five; and if the true effect were `margin`: `power`, the
        factor by which a significant estimate exaggerates (`exaggeration`), the share of them of `wrong_sign`.

    References
    ----------
    Gelman and Carlin (2014), Perspectives on Psychological Science 9, 641-651 (type M and type S errors).
    """
    from scipy.stats import norm

    critical = float(norm.ppf(1 - alpha / 2))
    z = margin / se
    right, wrong = float(norm.sf(critical - z)), float(norm.cdf(-critical - z))
    power = right + wrong
    # mean of |estimate| / se over the two significant tails of a normal around z
    size = z * right + float(norm.pdf(critical - z)) - z * wrong + float(norm.pdf(-critical - z))
    return {
        "smallest_detectable": (critical + float(norm.ppf(0.8))) * se,
        "power": power,
        "exaggeration": size / power / z,
        "wrong_sign": wrong / power,
    }
