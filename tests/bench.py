"""How much faster moments are than one model at a time, with the same answers: `make bench`.

1,024 specifications with clustered errors and 2,000 cluster bootstraps of 50,000 rows in 300 clusters. statsmodels
and pyfixest run a sample of each, scaled up; their answers are checked against ours. Not collected by pytest.
"""

from __future__ import annotations

import itertools
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import statsmodels
import statsmodels.api as sm

from researchkit import moments

ROWS, CLUSTERS, COVARIATES, DRAWS = 50_000, 300, 10, 2_000
SAMPLED_WAYS, SAMPLED_DRAWS, REPEATS, SEED = 24, 12, 5, 20251101


def main() -> int:
    exposure, covariates, outcome, cluster = world(np.random.default_rng(SEED))
    ways = np.array(list(itertools.product([False, True], repeat=COVARIATES)))
    print(machine())
    print(
        f"{ROWS:,} rows, {CLUSTERS} clusters, {COVARIATES} covariates, seed {SEED}; ours: the median of {REPEATS} runs."
    )
    compressing, held = timed(lambda: moments.compress(exposure, covariates, outcome, cluster))
    specifying, (estimates, errors) = timed(lambda: moments.curve(held, ways))
    drawing, drawn = timed(lambda: moments.bootstrap(held, np.random.default_rng(SEED), DRAWS))

    some = np.random.default_rng(SEED).choice(len(ways), SAMPLED_WAYS, replace=False)
    places = np.split(np.argsort(cluster, kind="stable"), np.cumsum(np.bincount(cluster))[:-1])
    draws = np.random.default_rng(SEED).integers(0, CLUSTERS, (DRAWS, CLUSTERS))[:SAMPLED_DRAWS]  # as ours draws them
    drawn_rows = [np.concatenate([places[one] for one in draw]) for draw in draws]
    good = True
    for peer, least in ((in_statsmodels, 200), (in_pyfixest, 30)):
        specified, resampled = peer(exposure, covariates, outcome, cluster)
        specified(np.arange(2))  # the first call pays for what is imported late
        took, apart = 0.0, 0.0
        for way in some:
            seconds, (estimate, error) = once(specified, np.flatnonzero(ways[way]))
            took += seconds
            apart = max(apart, off(estimates[way], estimate), off(errors[way], error))
        scaled = took / SAMPLED_WAYS * len(ways)
        ours = compressing + specifying
        good &= tell("specifications with CR1 errors", len(ways), ours, peer, scaled, SAMPLED_WAYS, apart, least)
        took, apart = 0.0, 0.0
        for place, rows in enumerate(drawn_rows):
            seconds, estimate = once(resampled, rows)
            took += seconds
            apart = max(apart, off(drawn[place], estimate))
        scaled = took / SAMPLED_DRAWS * DRAWS
        good &= tell("cluster bootstraps", DRAWS, compressing + drawing, peer, scaled, SAMPLED_DRAWS, apart, least)
    print(f"Reading the rows once took {compressing:.3f} s of each of ours.")
    return 0 if good else 1


def world(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Exposure, covariates, outcome and clusters, with shared errors and confounding."""
    cluster = np.concatenate([np.arange(CLUSTERS), rng.integers(0, CLUSTERS, ROWS - CLUSTERS)])
    covariates = rng.normal(size=(ROWS, COVARIATES))
    exposure = covariates @ rng.normal(0, 0.3, COVARIATES) + rng.normal(size=CLUSTERS)[cluster] + rng.normal(size=ROWS)
    shared = rng.normal(size=CLUSTERS)[cluster] + rng.normal(size=ROWS)
    return exposure, covariates, 0.3 * exposure + covariates @ rng.normal(0, 0.3, COVARIATES) + shared, cluster


def in_statsmodels(exposure: Any, covariates: Any, outcome: Any, cluster: Any) -> tuple[Callable, Callable]:
    """One specification with its clustered error, and one estimate from some rows: ordinary least squares."""

    def specified(chosen: Any) -> tuple[float, float]:
        matrix = np.column_stack([exposure, covariates[:, chosen], np.ones(ROWS)])
        line = sm.OLS(outcome, matrix).fit(cov_type="cluster", cov_kwds={"groups": cluster})
        return line.params[0], line.bse[0]

    matrix = np.column_stack([exposure, covariates, np.ones(ROWS)])
    return specified, lambda rows: sm.OLS(outcome[rows], matrix[rows]).fit().params[0]


def in_pyfixest(exposure: Any, covariates: Any, outcome: Any, cluster: Any) -> tuple[Callable, Callable]:
    """The same by pyfixest's `feols`, keeping as little as it can."""
    import pyfixest

    names = [f"c{place}" for place in range(COVARIATES)]
    frame = pd.DataFrame(covariates, columns=names).assign(x=exposure, y=outcome, g=cluster)
    little = {"lean": True, "store_data": False, "copy_data": False}

    def specified(chosen: Any) -> tuple[float, float]:
        formula = " + ".join(["y ~ x", *(names[place] for place in chosen)])
        line = pyfixest.feols(formula, frame, vcov={"CRV1": "g"}, **little)
        return line.coef()["x"], line.se()["x"]

    whole = " + ".join(["y ~ x", *names])
    return specified, lambda rows: pyfixest.feols(whole, frame.iloc[rows], vcov="iid", **little).coef()["x"]


def once(run: Callable[[Any], Any], given: Any) -> tuple[float, Any]:
    """The time of one run, and what came out."""
    began = time.perf_counter()
    came = run(given)
    return time.perf_counter() - began, came


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """The median time of several runs, and what came out."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        came = run()
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds)), came


def off(ours: float, theirs: float) -> float:
    return abs(ours - theirs) / abs(theirs)


def tell(
    what: str, many: int, ours: float, peer: Callable, theirs: float, sampled: int, apart: float, least: int
) -> bool:
    """One line of result; whether the answers agree and the ratio holds what CONTRIBUTING promises."""
    name, ratio = peer.__name__.removeprefix("in_"), theirs / ours
    print(
        f"{many:,} {what}: {ours:.3f} s; {name} one by one {theirs:.1f} s (scaled from {sampled}): "
        f"{ratio:,.0f} times faster (promised {least}). Largest relative difference {apart:.0e}."
    )
    return apart < 1e-9 and ratio >= least


def machine() -> str:
    """Processor, cores, load and versions: what the seconds depend on."""
    model = platform.processor() or platform.machine()
    told = Path("/proc/cpuinfo")
    if told.exists():
        names = [line for line in told.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{model}, {os.cpu_count()} cores{load}; {platform.system()}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, statsmodels {statsmodels.__version__}."
    )


if __name__ == "__main__":
    sys.exit(main())
