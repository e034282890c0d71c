"""How much faster moments are than one model at a time, with the same answers: `make bench`.

1,024 specifications with clustered errors and 2,000 cluster bootstraps of 50,000 rows in 300 clusters. statsmodels
runs a sample of each, scaled up; its answers are checked against ours. Not collected by pytest.
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
    began, apart = time.perf_counter(), 0.0
    for way in some:
        matrix = np.column_stack([exposure, covariates[:, ways[way]], np.ones(ROWS)])
        line = sm.OLS(outcome, matrix).fit(cov_type="cluster", cov_kwds={"groups": cluster})
        apart = max(apart, off(estimates[way], line.params[0]), off(errors[way], line.bse[0]))
    one_by_one = (time.perf_counter() - began) / SAMPLED_WAYS * len(ways)
    good = tell("specifications with CR1 errors", len(ways), compressing + specifying, one_by_one, SAMPLED_WAYS, apart)

    places = np.split(np.argsort(cluster, kind="stable"), np.cumsum(np.bincount(cluster))[:-1])
    draws = np.random.default_rng(SEED).integers(0, CLUSTERS, (DRAWS, CLUSTERS))[:SAMPLED_DRAWS]  # as ours draws them
    matrix = np.column_stack([exposure, covariates, np.ones(ROWS)])
    began, apart = time.perf_counter(), 0.0
    for place, draw in enumerate(draws):
        rows = np.concatenate([places[one] for one in draw])
        apart = max(apart, off(drawn[place], sm.OLS(outcome[rows], matrix[rows]).fit().params[0]))
    one_by_one = (time.perf_counter() - began) / SAMPLED_DRAWS * DRAWS
    good &= tell("cluster bootstraps", DRAWS, compressing + drawing, one_by_one, SAMPLED_DRAWS, apart)
    print(f"Reading the rows once took {compressing:.3f} s of each of ours.")
    return 0 if good else 1


def world(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Exposure, covariates, outcome and clusters, with shared errors and confounding."""
    cluster = np.concatenate([np.arange(CLUSTERS), rng.integers(0, CLUSTERS, ROWS - CLUSTERS)])
    covariates = rng.normal(size=(ROWS, COVARIATES))
    exposure = covariates @ rng.normal(0, 0.3, COVARIATES) + rng.normal(size=CLUSTERS)[cluster] + rng.normal(size=ROWS)
    shared = rng.normal(size=CLUSTERS)[cluster] + rng.normal(size=ROWS)
    return exposure, covariates, 0.3 * exposure + covariates @ rng.normal(0, 0.3, COVARIATES) + shared, cluster


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


def tell(what: str, many: int, ours: float, theirs: float, sampled: int, apart: float) -> bool:
    """One line of result; whether the answers agree."""
    print(
        f"{many:,} {what}: {ours:.3f} s; statsmodels in a loop {theirs:.1f} s (scaled from {sampled}): "
        f"{theirs / ours:,.0f} times faster. Largest relative difference {apart:.0e}."
    )
    return apart < 1e-9


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
