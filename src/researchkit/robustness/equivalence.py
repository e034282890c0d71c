"""Is a difference that matters excluded? Two one-sided tests, and what the data leave open in the claimed direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from researchkit.robustness.check import Check

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.estimators import Effect
    from researchkit.parts import Question

NAME = "equivalence"


def equivalence(dataset: Dataset, question: Question, effect: Effect) -> Check:
    """The headline against the smallest effect that matters, on both sides; its interval on the claimed side.

    No verdict hangs on it but that of a question which expects no difference.
    """
    rises = claimed_side(question) > 0
    facts = {
        "smallest_effect": question.smallest_effect,
        **two_one_sided(effect.estimate, effect.se, question.smallest_effect, effect.df, alpha=1 - effect.level),
        "df": effect.df,
        "expected": question.expect,
        "claimed_side": "higher" if rises else "lower",
        "open_on_the_claimed_side": max(effect.high if rises else -effect.low, 0.0),
        "open_on_the_other_side": max(-effect.low if rises else effect.high, 0.0),
    }
    return Check(NAME, dataset.fingerprint, facts)


def claimed_side(question: Question) -> int:
    """+1 where the claim is that the outcome's number rises with the exposure, -1 where it falls."""
    return 1 if (question.outcome.good == "high") == (question.expect != "worse") else -1


def two_one_sided(
    estimate: float, se: float, margin: float, df: float | None = None, *, alpha: float = 0.05
) -> dict[str, Any]:
    """Two one-sided tests that an effect is not as low as -margin and not as high as margin.

    Parameters
    ----------
    estimate, se, margin
        In one unit; `df` is that of the t distribution, None for the normal.
    alpha
        Of each test; 1 - 2 alpha is the coverage of the interval that lies inside the margins just when both reject.

    Returns
    -------
    dict
        `p_lower` (of no more than -margin), `p_upper` (of no less than margin), `p` (the larger: that of equivalence),
        and the interval `low` to `high` at `level`.

    References
    ----------
    Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657-680. Agrees with two R calls
    `t.test(x, y, mu = -margin, alternative = "greater")` and `t.test(x, y, mu = margin, alternative = "less")`.
    """
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    below, above = -(estimate + margin) / se, (estimate - margin) / se
    lower, upper = (float(ndtr(z) if df is None else stdtr(df, z)) for z in (below, above))
    half = float(ndtri(1 - alpha) if df is None else stdtrit(df, 1 - alpha)) * se
    return {
        "p_lower": lower,
        "p_upper": upper,
        "p": max(lower, upper),
        "level": 1 - 2 * alpha,
        "low": estimate - half,
        "high": estimate + half,
    }
