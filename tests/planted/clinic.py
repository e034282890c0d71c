"""The clean study that every defect is planted into: stays of patients in twelve wards of three sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

STUDY = """
title: Stays
seed: 11
design: observational
files: stays.csv
people: patient
clusters: ward
rows: stays
columns:
  patient: {label: Patient, type: id}
  ward: {label: Ward, type: id}
  site: {label: Site, type: category}
  sex: {label: Sex, codes: {f: female, m: male}}
  kindness: {label: Kindness of the care, unit: point, source: blind rater}
  severity: {label: Severity, unit: point}
  age: {label: Age, unit: year}
  minutes: {label: Time at the bedside, unit: minute}
  trust: {label: Trust, unit: point, source: patient}
  returned: {label: Came back, codes: {0: no, 1: yes}}
  admitted: {type: date}
  discharged: {type: date}
scales:
  ease: {items: [e1, e2, e3, e4], reverse: [e4], range: [0, 6], rule: mean, label: Ease}
questions:
  - {id: trust, title: 'Is there more trust?', claim: MEC-1, family: recovery, exposure: kindness,
     outcome: {column: trust, kind: score, unit: point}, adjust: [severity, age, sex], smallest_effect: 0.2}
"""
QUESTION = "trust"


def stays(seed: int = 3, n: int = 480) -> pd.DataFrame:
    """One row a stay. Kindness raises trust by about 0.6 points; severity lowers both."""
    rng = np.random.default_rng(seed)
    ward = rng.integers(0, 12, n)
    of_ward = rng.normal(0, 0.3, 12)[ward]
    severity = np.clip(rng.gamma(4, 1.1, n), 0, 10)
    kindness = np.clip(3.4 - 0.12 * severity + 0.5 * of_ward + rng.normal(0, 0.7, n), 1, 5)
    trust = 4 + 0.6 * kindness - 0.15 * severity + of_ward + rng.normal(0, 1, n)
    admitted = pd.Timestamp("2025-01-01") + pd.to_timedelta(np.sort(rng.integers(0, 300, n)), unit="D")
    days = 1 + rng.poisson(4 + severity / 2)
    ease = rng.normal(3, 1.2, n)
    items = {f"e{k}": np.clip(np.rint(ease + rng.normal(0, 0.8, n)), 0, 6).astype(int) for k in (1, 2, 3, 4)}
    return pd.DataFrame(
        {
            "patient": [f"P{one:05d}" for one in rng.permutation(np.arange(10_000, 10_000 + n))],
            "ward": [f"W{one + 1:02d}" for one in ward],
            "site": np.array(["North", "South", "West"])[ward // 4],
            "sex": rng.choice(["f", "m"], n),
            "admitted": admitted.strftime("%Y-%m-%d"),
            "discharged": (admitted + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d"),
            "age": np.clip(np.rint(rng.normal(58, 17, n)), 18, 99).astype(int),
            "severity": severity.round(1),
            "kindness": kindness.round(2),
            "minutes": np.exp(rng.normal(3, 0.4, n)).round(1),
            "trust": trust.round(2),
            "returned": (rng.uniform(size=n) < 1 / (1 + np.exp(0.6 * kindness - 0.2 * severity))).astype(int),
            "complaints": rng.poisson(np.exp(0.5 - 0.2 * kindness)),
            **items,
            "e4": 6 - items["e4"],
        }
    )


@dataclass
class Planted:
    """A study on its way into a folder: change the frame, the study text, or the bytes of the file."""

    frame: pd.DataFrame = field(default_factory=stays)
    study: str = STUDY
    name: str = "stays.csv"
    question: str = QUESTION
    whole: bool = False  # the answer with all that attacks it, which takes longer
    heads: tuple[str, int] = ("", 0)  # in a workbook: what stands over the last columns, and over how many
    bytes_of: Callable[[bytes], bytes] = bytes
    beside: dict[str, pd.DataFrame | str] = field(default_factory=dict)

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(99)

    def say(self, old: str, new: str) -> None:
        """Change the words of the study file, which must be there."""
        assert old in self.study, old
        self.study = self.study.replace(old, new)

    def write(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        text = self.frame.to_csv(index=False).encode()
        if self.name.endswith(".csv"):
            (folder / self.name).write_bytes(self.bytes_of(text))
        else:
            write_book(folder / self.name, self.frame, *self.heads)
        for name, held in self.beside.items():
            path = folder / name
            path.write_text(held if isinstance(held, str) else held.to_csv(index=False), encoding="utf-8")
        (folder / "study.yml").write_text(self.study, encoding="utf-8")
        return folder


def write_book(path: Path, frame: pd.DataFrame, over: str, columns: int) -> None:
    """A workbook whose last columns have a merged cell over their names."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    width = len(frame.columns)
    names = list(frame.columns)
    sheet.append([*names[: width - columns], over, *[None] * (columns - 1)])
    sheet.append([*[None] * (width - columns), *names[width - columns :]])
    for row in frame.itertuples(index=False):
        sheet.append(list(row))
    for place in range(1, width - columns + 1):
        sheet.merge_cells(start_row=1, end_row=2, start_column=place, end_column=place)
    sheet.merge_cells(start_row=1, end_row=1, start_column=width - columns + 1, end_column=width)
    book.save(path)
