"""How strong a cause that nobody measured would have to be, and how strong the measured ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from researchkit.errors import EstimationError
from researchkit.moments import Moments, left, partial_r2
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.linear import Linear, stands_in

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

NAME = "unmeasured confounder"
RARE = 0.15  # up to this share with the event, hazards and risks tell much the same


def unmeasured(line: Linear | str, dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """How strong an unmeasured cause of both would have to be to bring the estimate, or its interval, to zero.

    Robustness values and benchmarks after Cinelli and Hazlett (2020), JRSS-B 82, 39-67, for linear models (an
    approximation for others, and named so; none where the line gives another answer than the model); E-value after
    VanderWeele and Ding (2017), Ann Intern Med 167, 268-274, where the effect has a ratio of risks, rates or hazards.
    """
    made = dataset.fingerprint
    facts: dict[str, Any] = {}
    if found := ratios(line, effect, sample):
        facts = {"e_value": e_value(found[0]), "e_value_of_the_limit": e_value(found[1])}
    if isinstance(line, str):
        return Check(NAME, made, facts | {"no_shares": line}) if facts else Check(NAME, made, reason=line)
    why = stands_in(line, effect)
    try:
        strength = exposure_r2(line.moments)
        at = benchmarks(line.moments, line.groups, effect)
    except EstimationError as error:
        why = why_not(error, dataset.study)
    if why:
        return Check(NAME, made, facts | {"no_shares": why}) if facts else Check(NAME, made, reason=why)
    facts |= {
        "robustness_value": robustness_value(strength),
        "robustness_value_of_the_limit": robustness_of_limit(strength, line.moments, effect),
        "partial_r2": strength,
        "scale": line.scale,
    }
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


def ratios(line: Linear | str, effect: Effect, sample: Sample) -> tuple[float, float] | None:
    """The effect as a risk ratio, and its limit nearer 1; None where it has none.

    A difference in risks is one around the mean risk. A rate ratio stands for itself; so does a hazard ratio where at
    most 15 % had the event, else it is (1 - 0.5^√HR)/(1 - 0.5^√(1/HR)), as VanderWeele (2017), Biometrics 73, 1036.
    Agrees with `EValue::evalues.HR`.
    """
    if effect.unit == "probability":
        if isinstance(line, str):
            return None
        risk = float(line.moments.mean[-1])
        return risk_ratio(effect.estimate, risk), risk_ratio(limit_nearer_zero(effect), risk)
    found = effect.also.get("rate ratio") or effect.also.get("hazard ratio")
    if found is None or not all(0 < value < math.inf for value in found):
        return None
    estimate, low, high = found
    nearer = 1.0 if low <= 1 <= high else low if low > 1 else high
    if "hazard ratio" in effect.also and sample.event is not None and float((sample.event == 1).mean()) > RARE:
        return common(estimate), common(nearer)
    return estimate, nearer


def common(hazard: float) -> float:
    """The risk ratio that a hazard ratio of a common event comes near."""
    return float((1 - 0.5 ** math.sqrt(hazard)) / (1 - 0.5 ** math.sqrt(1 / hazard)))


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


def robustness_of_limit(partial: float, moments: Moments, effect: Effect) -> float:
    """The partial R² with both that brings the nearer limit of the interval to zero; 0 where it holds zero already.

    With f² = R²/(1 - R²) of the exposure and f* = t*/√(df - 1), t* being the quantile of the interval, the value comes
    from f - f* in place of f; where f f* is above 1 a cause that goes less with the outcome does as much, and it is
    (f² - f*²)/(1 + f²). The interval is the headline's own: with clusters t* is the clustered half width over the
    classical standard error. For the bias that a cause brings does not depend on how rows hang together, but it need
    only reach zero from the limit, and that is nearer where the interval allows for clusters.

    References
    ----------
    Cinelli and Hazlett (2020), section 4.3; with classical errors equal to `sensemakr::robustness_value(alpha = 0.05)`.
    """
    if effect.low <= 0 <= effect.high:
        return 0.0
    if partial >= 1:
        return 1.0
    df, f = moments.n - len(moments.names), math.sqrt(partial / (1 - partial))
    half = abs(effect.estimate - limit_nearer_zero(effect)) / abs(effect.estimate)
    critical = f * half * math.sqrt(df / (df - 1)) * one_less(effect, df)
    if f <= critical:
        return 0.0
    if f * critical > 1:
        return (f * f - critical * critical) / (1 + f * f)
    left = (f - critical) ** 2
    return robustness_value(left / (1 + left))


def one_less(effect: Effect, df: int) -> float:
    """How much wider an interval gets by the degree of freedom that one more cause takes, where rows count."""
    from scipy.special import stdtrit

    tail = (1 + effect.level) / 2
    return float(stdtrit(df - 1, tail) / stdtrit(df, tail)) if effect.df == df else 1.0


def e_value(ratio: float) -> float:
    """The risk ratio with exposure and with outcome that an unmeasured cause would need (VanderWeele and Ding 2017)."""
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))
