"""What an estimator hands back: one effect with its interval, and the model it came from.

Full precision throughout; whatever a person reads is rounded later, in one place (`wording`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import card, wording
from researchkit.errors import EstimationError

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

Vector = NDArray[np.floating[Any]]  # one dimension
Matrix = NDArray[np.floating[Any]]  # two or three


@dataclass(frozen=True)
class Term:
    """One coefficient of a model, on the model's own scale."""

    term: str
    estimate: float
    se: float
    low: float
    high: float
    p: float

    def to_dict(self) -> dict[str, Any]:
        """The term as JSON can hold it; what is not finite becomes null."""
        return {
            "term": self.term,
            "estimate": _plain(self.estimate),
            "se": _plain(self.se),
            "low": _plain(self.low),
            "high": _plain(self.high),
            "p": _plain(self.p),
        }


@dataclass(frozen=True)
class Model:
    """The model behind an effect: exposure first, then the covariates, then intercept or thresholds."""

    name: str
    errors: str
    terms: tuple[Term, ...]
    scale: str

    def to_dict(self) -> dict[str, Any]:
        """The model as it stands in `result.json`."""
        terms = [term.to_dict() for term in self.terms]
        return {"name": self.name, "errors": self.errors, "scale": self.scale, "terms": terms}


class Count(str):
    """A note of an effect that tells a number of rows or people: a profile that protects small counts leaves it out."""

    __slots__ = ()


@dataclass(frozen=True)
class Effect:
    """The answer to one question, in the outcome's own unit per one unit of the exposure.

    `estimate`, `se`, `low` and `high` are in `unit`, and 0 always means no difference. `df` is None where the normal
    distribution was used. `clusters` counts the fewer ones where two kinds cross. `also` holds the same effect on other
    scales (an odds ratio: 1 means no difference), each as (estimate, low, high).
    `about` is the count of rows that is told in place of `n`, where there is one.

    >>> import researchkit as rk
    >>> study = rk.load_study("data/hospital")
    >>> effect = rk.estimate(rk.load_dataset(study), study.question("length_of_stay"))
    >>> effect.kind, effect.unit, effect.low < effect.estimate < effect.high
    ('score', 'night', True)
    """

    kind: str
    estimate: float
    se: float
    low: float
    high: float
    level: float
    p: float
    unit: str
    contrast: str
    method: str
    n: int
    clusters: int | None
    df: float | None
    model: Model
    also: dict[str, tuple[float, float, float]]
    notes: tuple[str, ...] = ()
    p_adjusted: float | None = None
    about: int | None = None

    @property
    def rows(self) -> str:
        """How many rows, as it may be told."""
        return wording.count(self.n) if self.about is None else f"about {wording.count(self.about)}"

    @property
    def words(self) -> str:
        """The estimate with its interval, as a page has it."""
        scale, unit = wording.scale(self.unit)
        value, limits = wording.estimate(*(scale * part for part in (self.estimate, self.low, self.high)), sign=True)
        return f"{value} {wording.units(unit, value)}, {wording.level(self.level)} interval {limits}"

    def __repr__(self) -> str:
        return f"{self.contrast}: {self.words} (n = {self.rows}; {self.method})"

    def drawn(self, margin: float = 0.0) -> str:
        """The interval as a small drawing, beside zero and the band of what is too small to matter."""
        return card.interval(self.low, self.estimate, self.high, f"{self.contrast}: {self.words}", margin)

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """How many, in how many clusters, by what: what a reader wants to know beside the number."""
        others = [
            f"{scale} {wording.number(one)} ({wording.interval(a, b)})" for scale, (one, a, b) in self.also.items()
        ]
        return (
            ("Rows", self.rows),
            ("Clusters", "" if self.clusters is None else wording.count(self.clusters)),
            ("p-value", wording.probability(self.p)),
            ("Corrected", "" if self.p_adjusted is None else f"{wording.probability(self.p_adjusted)} in its family"),
            ("Other scales", "; ".join(others)),
            ("Method", self.method),
        )

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        facts = (("Contrast", self.contrast), *self.facts)
        return card.Card("Effect", self.words, facts, self.notes, picture=self.drawn()).bundle()

    def to_dict(self) -> dict[str, Any]:
        """The effect as it stands in `result.json` (the model stands beside it, see `Model.to_dict`)."""
        numbers = ("estimate", "se", "low", "high", "level", "p", "p_adjusted", "df")
        words = ("kind", "unit", "contrast", "method", "n", "clusters")
        plain: dict[str, Any] = {name: getattr(self, name) for name in words}
        plain |= {name: _plain(getattr(self, name)) for name in numbers}
        names = ("estimate", "low", "high")
        plain["also"] = {
            scale: dict(zip(names, map(_plain, values), strict=True)) for scale, values in self.also.items()
        }
        plain["notes"] = list(self.notes)
        return plain


def wald(estimate: float, se: float, level: float, df: float | None = None) -> tuple[float, float, float]:
    """Low, high and two-sided p of an estimate, by t with `df` degrees of freedom, or by the normal for None."""
    from scipy import special

    if not (math.isfinite(estimate) and math.isfinite(se) and se > 0):
        raise EstimationError(
            "These data leave the effect without a standard error. Look for a column that nearly repeats the exposure "
            "or the outcome, or for groups of one row, and leave it out of `adjust`."
        )
    tail = (1 + level) / 2
    quantile = special.ndtri(tail) if df is None else special.stdtrit(df, tail)
    size = -abs(estimate / se)
    p = 2 * (special.ndtr(size) if df is None else special.stdtr(df, size))
    half = float(quantile) * se
    return estimate - half, estimate + half, float(p)


def told(
    sample: Sample,
    question: Question,
    level: float,
    value: float,
    se: float,
    df: float | None,
    *,
    unit: str,
    method: str,
    model: Model,
    also: dict[str, tuple[float, float, float]] | None = None,
    notes: tuple[str, ...] = (),
) -> Effect:
    """An effect from an estimate and its standard error, with what the sample and the question say of it."""
    low, high, p = wald(value, se, level, df)
    clusters = min((len(np.unique(codes)) for codes, _ in ways(sample)), default=None)
    kind, contrast, n = question.outcome.kind, sample.contrast, len(sample.outcome)
    also = also or {}
    return Effect(kind, value, se, low, high, level, p, unit, contrast, method, n, clusters, df, model, also, notes)


def ways(sample: Sample) -> list[tuple[NDArray[np.int64], str]]:
    """The kinds of clusters that share an error, none to two, each with its codes (n,) and its name."""
    kinds = ((sample.cluster, sample.cluster_name), (sample.crossed, sample.crossed_name))
    return [(codes, str(name)) for codes, name in kinds if codes is not None]


def terms(
    names: tuple[str, ...], coefficients: Vector, covariance: Matrix, level: float, df: Vector | float | None = None
) -> tuple[Term, ...]:
    """A model's coefficients as terms, each with its own degrees of freedom where `df` is an array."""
    each = [None] * len(names) if df is None else np.broadcast_to(np.asarray(df, dtype=float), len(names)).tolist()
    rows = []
    for name, value, variance, freedom in zip(names, coefficients, np.diag(covariance), each, strict=True):
        se = math.sqrt(max(float(variance), 0.0))
        # A covariate on its own may lack a standard error (a dummy of one row) while the exposure has one.
        good = se > 0 and math.isfinite(se) and (freedom is None or freedom > 0)
        low, high, p = wald(float(value), se, level, freedom) if good else (math.nan, math.nan, math.nan)
        rows.append(Term(name, float(value), se, low, high, p))
    return tuple(rows)


def ratio(term: Term) -> tuple[float, float, float]:
    """A log-scale term as a ratio with its limits."""
    return _exp(term.estimate), _exp(term.low), _exp(term.high)


def _exp(value: float) -> float:
    """e to the value; beyond what a float holds it is infinite, not an error."""
    return math.exp(value) if value < 700 else math.inf


def _plain(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
