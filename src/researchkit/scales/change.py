"""What a change of a score says about one person."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit.errors import DataError


def reliable_change(
    before: pd.Series,
    after: pd.Series,
    *,
    reliability: float,
    functional_mean: float,
    functional_sd: float,
    good: str = "low",
) -> pd.Series:
    """How each person changed: recovered, improved, unchanged, deteriorated or harmed.

    A change is reliable when it exceeds 1.96 standard errors of a difference; recovered is a reliable change for the
    better that crosses cut-off c, the point between the clinical sample and the functional population; harmed is the
    same the other way. Missing where either score is.

    Parameters
    ----------
    before, after
        Scores of the same people, same index.
    reliability
        Of the score, between 0 and 1, from its manual.
    functional_mean, functional_sd
        Of people without the complaint.
    good
        "low" where low scores are healthy, "high" where high ones are.

    References
    ----------
    Jacobson & Truax (1991), J Consult Clin Psychol 59, 12-19. Agrees with R clinicalsignificance::cs_combined on
    Claus et al. (2020): 10 recovered, 8 improved, 22 unchanged.
    """
    both = before.notna() & after.notna()
    start, change = before[both], after[both] - before[both]
    mean, sd = float(start.mean()), float(start.std())
    if not 0 < reliability < 1 or not sd > 0:
        raise DataError("Reliable change needs a reliability between 0 and 1, and scores that differ before.")
    cut = (sd * functional_mean + functional_sd * mean) / (sd + functional_sd)
    index = change / (sd * np.sqrt(2 * (1 - reliability)))
    sign = -1 if good == "low" else 1
    well_before, well_after = sign * (start - cut) > 0, sign * (after[both] - cut) > 0
    better, worse = sign * index > 1.96, sign * index < -1.96
    result = pd.Series("unchanged", index=start.index, dtype="str")
    result[better] = "improved"
    result[better & ~well_before & well_after] = "recovered"
    result[worse] = "deteriorated"
    result[worse & well_before & ~well_after] = "harmed"
    return result.reindex(before.index)
