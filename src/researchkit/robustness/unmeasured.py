"""How strong a cause that nobody measured would have to be, and how strong the measured ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from researchkit.errors import EstimationError
from researchkit.moments import Moments, left, partial_r2
from researchkit.robustness.check import Check
from researchkit.robustness.linear import Linear

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.estimators import Effect
    from researchkit.parts import Question

NAME = "unmeasured confounder"


def unmeasured(line: Linear | str, dataset: Dataset, question: Question, effect: Effect) -> Check:
    """How strong an unmeasured cause of both would have to be to bring the estimate, or its interval, to zero.

    Robustness value and benchmarks after Cinelli and Hazlett (2020), JRSS-B 82, 39-67, for linear models (an
    approximation for others, and named so); E-value after VanderWeele and Ding (2017), Ann Intern Med 167, 268-274,
    for the risk ratio of yes/no outcomes.
    """
    made = dataset.fingerprint
    if isinstance(line, str):
        return Check(NAME, made, reason=line)
    facts: dict[str, Any] = {}
    if effect.unit == "probability":
        risk = float(line.moments.mean[-1])
        ratio, nearer = risk_ratio(effect.estimate, risk), risk_ratio(limit_nearer_zero(effect), risk)
        facts = {"e_value": e_value(ratio), "e_value_of_the_limit": e_value(nearer)}
    try:
        strength = exposure_r2(line.moments)
        at = benchmarks(line.moments, line.groups, effect)
    except EstimationError as error:
        return Check(NAME, made, facts) if facts else Check(NAME, made, reason=str(error))
    facts |= {"robustness_value": robustness_value(strength), "partial_r2": strength, "scale": line.scale}
    if not at:
        return Check(NAME, made, facts)
    strongest = max(at, key=lambda name: at[name][0].bias)
    names = ("with_one_as_strong", "with_one_twice_as_strong")
    facts |= {"strongest_measured": strongest}
    facts |= {name: bound.to_dict() for name, bound in zip(names, at[strongest], strict=False)}
    mark = exposed(effect, at[strongest][0], dataset.study.label(strongest))
    # Lots keep causes out; in a rollout sites and times are the design itself, and no measure of the unmeasured.
    observational = dataset.study.design_of(question) == "observational"
    return Check(NAME, made, facts, mark=mark if observational else "")


def exposed(effect: Effect, bound: Bound, label: str) -> str:
    """The mark, where a cause as strong as the strongest measured one brings a clear interval across zero."""
    still = (effect.low > 0 and bound.low > 0) or (effect.high < 0 and bound.high < 0)
    if effect.low <= 0 <= effect.high or still:
        return ""
    return f"exposed: an unmeasured cause no stronger than {label} would bring the interval across zero"


@dataclass(frozen=True)
class Bound:
    """What is left of the effect beside an unmeasured cause `times` as strong as a measured one."""

    times: float
    with_exposure: float  # partial R² of the unmeasured cause with the exposure
    with_outcome: float  # and with the outcome
    bias: float  # at most, in the effect's unit
    estimate: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        """The bound as it stands in `result.json`."""
        return {
            "r2_exposure": self.with_exposure,
            "r2_outcome": self.with_outcome,
            "estimate": self.estimate,
            "low": self.low,
            "high": self.high,
        }


def benchmarks(
    moments: Moments, groups: dict[str, tuple[str, ...]], effect: Effect, times: tuple[float, ...] = (1, 2)
) -> dict[str, list[Bound]]:
    """Bounds for each measured adjustment; one so strong that a second cannot exist beside it is left out.

    Cinelli and Hazlett (2020), section 4.4: with k times the strength, R²(D~Z|X) = k r/(1 - r) with r the measured
    one's partial R² with the exposure, and R²(Y~Z|D,X) as there; agrees with `sensemakr::ovb_bounds`.
    """
    if moments.n - len(moments.names) < 2:  # no row to spare for one more column
        return {}
    strengths = partial_r2(moments, groups)
    found = {}
    for name, (exposure, outcome) in strengths.items():
        bounds = [bound(moments, effect, exposure, outcome, k) for k in times if reach(exposure, k) < 1]
        if bounds and bounds[0].times == times[0]:
            found[name] = bounds
    return found


def reach(exposure: float, k: float) -> float:
    """R² with the exposure of a cause k times as strong; impossible from 1 on."""
    return k * exposure / (1 - exposure) if exposure < 1 else math.inf


def bound(moments: Moments, effect: Effect, exposure: float, outcome: float, k: float) -> Bound:
    """The effect moved towards zero by the most that such a cause can hide, with its interval widened or narrowed."""
    df = moments.n - len(moments.names)  # exposure, covariates and intercept: as many as names
    with_exposure = reach(exposure, k)
    shared = k * exposure**2 / ((1 - k * exposure) * (1 - exposure))
    factor = (math.sqrt(k) + math.sqrt(shared)) / math.sqrt(1 - shared) if shared < 1 else math.inf
    with_outcome = min(factor**2 * outcome / (1 - outcome), 1.0) if outcome < 1 else 1.0
    bias = residual_ratio(moments) * math.sqrt(with_outcome * with_exposure / (1 - with_exposure))
    wider = math.sqrt((1 - with_outcome) / (1 - with_exposure) * df / (df - 1))
    moved = effect.estimate - math.copysign(bias, effect.estimate)
    below, above = wider * (effect.estimate - effect.low), wider * (effect.high - effect.estimate)
    return Bound(k, with_exposure, with_outcome, bias, moved, moved - below, moved + above)


def residual_ratio(moments: Moments) -> float:
    """Spread that exposure and covariates leave of the outcome, over that which the covariates leave of the exposure.

    It is the classical standard error times the root of its degrees of freedom.
    """
    everything = [place - 1 for place in moments.columns()]
    outcome = len(moments.names) - 1
    ratio = left(moments, outcome, everything) / left(moments, 0, everything[1:])
    return math.sqrt(ratio) * float(moments.spread[outcome] / moments.spread[0])


def exposure_r2(moments: Moments) -> float:
    """Share of the outcome's remaining variance that goes with the exposure, given the covariates."""
    everything = [place - 1 for place in moments.columns()]
    outcome = len(moments.names) - 1
    return 1 - left(moments, outcome, everything) / left(moments, outcome, everything[1:])


def risk_ratio(difference: float, risk: float) -> float:
    """The risk ratio of a difference around the mean risk, kept away from impossible risks."""
    return max(risk + difference / 2, 1e-6) / max(risk - difference / 2, 1e-6)


def limit_nearer_zero(effect: Effect) -> float:
    if effect.low <= 0 <= effect.high:
        return 0.0
    return effect.low if effect.low > 0 else effect.high


def robustness_value(partial: float) -> float:
    """The partial R² with exposure and with outcome that an unmeasured cause would need (Cinelli and Hazlett 2020)."""
    f2 = partial / (1 - partial) if partial < 1 else math.inf
    return 0.5 * (math.sqrt(f2 * f2 + 4 * f2) - f2) if math.isfinite(f2) else 1.0


def e_value(ratio: float) -> float:
    """The risk ratio with exposure and with outcome that an unmeasured cause would need (VanderWeele and Ding 2017)."""
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))
