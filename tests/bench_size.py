"""How long data larger than memory take, and how much memory: `make bench`, or alone `python tests/bench_size.py`.

    python tests/bench_size.py [--rows 10000000 30000000 100000000] [--data FOLDER] [--no-peer]

Simulated contacts in Parquet of 10, 30 and 100 million rows: one effect with CR2 errors by 30,000 agents, and 1,024
specifications of it, each size in a process of its own whose peak memory is the kernel's. pyfixest reads the same file
whole and fits one specification with CR1 errors (it has no CR2), on ever larger sizes until one does not finish; its
1,024 are scaled from that one. duckreg does not work with this DuckDB. FOLDER keeps the data; else they are removed.
Not collected by pytest.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS = (10_000_000, 30_000_000, 100_000_000)
SECONDS, GIGABYTES, LINEAR = 90.0, 4.0, 1.3  # promised for 100 million; time a row, of the largest over the smallest
PATIENCE, PEER_MEMORY = 900, 16 * 2**30
ADJUST = (
    "severity", "channel", "tenure", "birth_month", "trained", "compassion_customer", "resolved", "retained_90d",
    "contacts_next_90d", "days_active",
)  # fmt: skip
STUDY = f"""
title: A contact centre at size
seed: 20251101
design: observational
simulated: true
files: {{path: interactions.parquet, in_place: true}}
people: customer_id
clusters: agent_id
rows: contacts
columns:
  channel: {{codes: {{phone: Phone, chat: Chat, email: E-mail}}}}
  severity: {{range: [0, 10]}}
  compassion: {{range: [1, 5]}}
  handle_minutes: {{unit: minute, range: [0, 240]}}
questions:
  - id: handling_time
    title: Does compassion take time?
    claim: CUL-8
    family: loyalty
    exposure: compassion
    outcome: {{column: handle_minutes, kind: score, unit: minute, good: low}}
    adjust: [{", ".join(ADJUST)}]
    smallest_effect: 0.25
    expect: worse
"""


def main() -> int:
    chosen = argparse.ArgumentParser()
    chosen.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    chosen.add_argument("--data", type=Path)
    chosen.add_argument("--no-peer", action="store_true")
    given = chosen.parse_args()
    with tempfile.TemporaryDirectory(prefix="researchkit-bench-") as spare:
        return compare(sorted(given.rows), given.data or Path(spare), peer=not given.no_peer)


def compare(sizes: list[int], place: Path, *, peer: bool) -> int:
    good, rates, stopped = True, list[float](), ""
    for rows in sizes:
        folder = place / str(rows)
        if not (folder / "interactions.parquet").exists():
            made = child("simulate", folder, rows)
            print(
                f"{rows:,} rows simulated in {made['seconds']:.0f} s ({made['cpu']:.0f} s of processor) with {made['gigabytes']:.2f} GB.",
                flush=True,
            )
        (folder / "size.yml").write_text(STUDY, encoding="utf-8")
        ours = child("answer", folder, rows)
        print(
            f"{rows:,} rows: {ours['seconds']:.1f} s (check {ours['check']:.1f}, sums {ours['sums']:.1f}, effect "
            f"{ours['effect']:.1f}, {ours['ways']:,} specifications {ours['curve']:.1f}; {ours['cpu']:.0f} s of processor), "
            f"{ours['gigabytes']:.2f} GB; "
            f"{ours['estimate']:+.5f} (SE {ours['se']:.6f}, CR2).",
            flush=True,
        )
        rates.append(ours["seconds"] / rows)
        if rows >= ROWS[-1]:
            good &= ours["seconds"] <= SECONDS and ours["gigabytes"] <= GIGABYTES
            print(f"Promised for {ROWS[-1]:,}: {SECONDS:.0f} s and {GIGABYTES:.0f} GB on two cores.")
        if peer and not stopped:
            theirs = child("pyfixest", folder, rows)
            stopped = theirs.get("stopped", "")
            good &= tell(rows, ours, theirs)
    if len(rates) > 1:
        slower = rates[-1] / rates[0]
        good &= slower <= LINEAR
        print(f"A row of the largest takes {slower:.2f} times that of the smallest (promised {LINEAR}).")
    return 0 if good else 1


def tell(rows: int, ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """One line about pyfixest; whether both agree."""
    if "stopped" in theirs:
        print(f"{rows:,} rows: pyfixest did not finish ({theirs['stopped']}).")
        return True
    apart = max(abs(ours["estimate"] / theirs["estimate"] - 1), abs(ours["cr1"] / theirs["se"] - 1))
    scaled = theirs["reading"] + theirs["fitting"] * ours["ways"]
    print(
        f"{rows:,} rows: pyfixest {theirs['reading'] + theirs['fitting']:.1f} s for one specification (reading "
        f"{theirs['reading']:.1f}), {theirs['gigabytes']:.1f} GB; {ours['ways']:,} would take {scaled:,.0f} s, "
        f"{scaled / ours['seconds']:,.0f} times ours. Largest relative difference {apart:.0e}.",
        flush=True,
    )
    return bool(apart < 1e-6)


def child(task: str, folder: Path, rows: int) -> dict[str, Any]:
    """A task in a process of its own: what it says, or how it ended."""
    command = [sys.executable, __file__, f"--{task}", str(folder), str(rows)]
    try:
        patience = PATIENCE if task == "pyfixest" else None
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return {"stopped": f"after {PATIENCE} s"}
    if done.returncode and task == "pyfixest":
        last = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"stopped": f"with {PEER_MEMORY / 2**30:.0f} GB: {last[:80]}"}
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def simulated(folder: Path, rows: int) -> dict[str, Any]:
    from researchkit.simulate import write_world

    began = time.perf_counter()
    write_world("contact_centre", folder, rows=rows)
    return {"seconds": time.perf_counter() - began}


def answered(folder: Path, rows: int) -> dict[str, Any]:
    """From the study file to the effect and every specification."""
    clock = [time.perf_counter()]
    from researchkit import moments
    from researchkit.estimators import estimate_sample
    from researchkit.robustness.curve import along
    from researchkit.robustness.linear import linearised
    from researchkit.study import load_study
    from researchkit.warehouse import load

    study = load_study(folder / "size.yml")
    question = study.questions[0]
    steps: list[Any] = []
    for step in (
        lambda: load(study),
        lambda: steps[0].sample(question),
        lambda: estimate_sample(steps[1], question),
        lambda: along(linearised(steps[1], question), 0.95, study.seed),
    ):
        steps.append(step())
        clock.append(time.perf_counter())
    check, sums, effect, curve = np.diff(clock).tolist()
    line = moments.fit(steps[1].usable[0])
    steps[0].close()
    return {
        "seconds": clock[-1] - clock[0],
        "check": check,
        "sums": sums,
        "effect": effect,
        "curve": curve,
        "ways": len(steps[3].estimates),
        "estimate": steps[2].estimate,
        "se": steps[2].se,
        "cr1": float(moments.cr1(line)[0][0, 0] ** 0.5),
    }


def fitted(folder: Path, rows: int) -> dict[str, Any]:
    """pyfixest on the same file, read whole: one specification with all adjustments."""
    import duckdb
    import pyfixest

    resource.setrlimit(resource.RLIMIT_AS, (PEER_MEMORY, PEER_MEMORY))
    began = time.perf_counter()
    columns = ", ".join(("compassion", "handle_minutes", "agent_id", *ADJUST))
    path = str(folder / "interactions.parquet")
    frame = duckdb.execute(f"SELECT {columns} FROM read_parquet(?) WHERE compassion IS NOT NULL", [path]).df()  # noqa: S608
    read = time.perf_counter()
    formula = f"handle_minutes ~ compassion + {' + '.join('C(channel)' if one == 'channel' else one for one in ADJUST)}"
    little = {"lean": True, "store_data": False, "copy_data": False}
    line = pyfixest.feols(formula, frame, vcov={"CRV1": "agent_id"}, **little)
    done = time.perf_counter()
    return {
        "reading": read - began,
        "fitting": done - read,
        "estimate": float(line.coef()["compassion"]),
        "se": float(line.se()["compassion"]),
    }


TASKS = {"--simulate": simulated, "--answer": answered, "--pyfixest": fitted}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in TASKS:
        came = TASKS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
        used = resource.getrusage(resource.RUSAGE_SELF)
        whole = {"gigabytes": used.ru_maxrss / 2**20, "cpu": used.ru_utime + used.ru_stime}  # Linux counts kilobytes
        print(json.dumps({**came, **whole}))
        sys.exit(0)
    sys.exit(main())
