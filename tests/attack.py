"""An attacker for the tests of disclosure: reads all that was published, states it as sums, and solves for the rest.

A world is a table whose every count is known here. Its pages are those of a real run: the cells of the notebooks are run
in this process, so that all that a reader gets is at hand (HTML, CSV, JSON, alt text).
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import answers
import numpy as np
import pandas as pd
from scipy.optimize import linprog

from researchkit.disclosure import Profile
from researchkit.report import notebook_of
from researchkit.study import load_study

STUDY = """
title: Visits
seed: 1
design: observational
files: visits.csv
people: person
rows: visits
disclosure: {profile}
columns:
  person: {{type: id}}
  site: {{type: category}}
  stayed: {{codes: {{0: left, 1: stayed}}}}
  kindness: {{range: [1, 5]}}
  trust: {{range: [1, 7]}}
questions:
  - {{id: stay, title: 'Do they stay?', claim: LOY-1, family: loyalty, exposure: kindness, adjust: [severity],
      outcome: {{column: stayed, kind: yes_no, yes: 1, good: high}}, smallest_effect: 0.02}}
  - {{id: trust, title: 'Is there more trust?', claim: MEC-1, family: recovery, exposure: kindness, adjust: [severity],
      outcome: {{column: trust, kind: score, unit: point}}, smallest_effect: 0.1}}
"""
GAPS = {"stay": ("stayed", "kindness", "severity"), "trust": ("trust", "kindness", "severity")}
COLUMNS = ("stayed", "trust", "kindness", "severity")
SIZES = {"North": 160, "South": 120, "East": 90, "Quay": 60, "West": 4}


def world(sizes: dict[str, int], gaps: dict[str, dict[str, int]], seed: int = 1) -> pd.DataFrame:
    """People by site, some of them without an entry; `gaps` says how many by site and column."""
    rng, parts = np.random.default_rng(seed), []
    for site, size in sizes.items():
        kindness = rng.integers(1, 6, size).astype(float)
        severity = rng.normal(5, 2, size).round(1)
        stayed = (rng.random(size) < 0.25 + 0.1 * kindness - 0.01 * severity).astype(float)
        trust = np.clip(np.rint(2 + 0.6 * kindness + rng.normal(0, 1, size)), 1, 7)
        part = pd.DataFrame(
            {"kindness": kindness, "severity": severity, "stayed": stayed, "trust": trust, "site": site}
        )
        place = 0
        for column, many in gaps.get(site, {}).items():
            part.loc[place : place + many - 1, column] = np.nan
            place += many
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    frame["person"] = [f"p{number}" for number in range(len(frame))]
    return frame


def write(folder: Path, frame: pd.DataFrame, profile: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / "visits.csv", index=False)
    (folder / "study.yml").write_text(STUDY.format(profile=profile), encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Page:
    """Everything that one page tells: the bundles of its cells, or why there is none."""

    question: str
    site: str
    bundles: list[dict[str, Any]]
    why: str = ""

    @property
    def result(self) -> dict[str, Any]:
        return next(part for bundle in self.bundles for media, part in bundle.items() if media.endswith("result+json"))

    def tables(self) -> Iterator[tuple[str, list[dict[str, str]]]]:
        """Every CSV that can be taken along, and every table of the HTML."""
        for bundle in self.bundles:
            for media, part in bundle.items():
                if media.endswith(("table+json", "figure+json")):
                    for one in (part, *part.get("more", ())):
                        yield one["name"], list(csv.DictReader(io.StringIO(one["csv"])))
            yield from Grid.read(bundle.get("text/html", ""))


class Grid(HTMLParser):
    """The tables of a piece of HTML, each row by its header."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[list[str]]]] = []
        self.words: list[str] | None = None

    @classmethod
    def read(cls, html: str) -> list[tuple[str, list[dict[str, str]]]]:
        grid = cls()
        grid.feed(html)
        return [
            (title, [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]) for title, rows in grid.found if rows
        ]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "table":
            self.found.append(("", []))
        elif tag == "tr" and self.found:
            self.found[-1][1].append([])
        elif tag in ("td", "th", "caption"):
            self.words = []

    def handle_data(self, data: str) -> None:
        if self.words is not None:
            self.words.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.words is not None and self.found and self.found[-1][1]:
            self.found[-1][1][-1].append("".join(self.words).strip())
        if tag == "caption" and self.words is not None:
            self.found[-1] = ("".join(self.words).strip(), self.found[-1][1])
        if tag in ("td", "th", "caption"):
            self.words = None


def pages(folder: Path, questions: Iterable[str] = GAPS) -> list[Page]:
    """The pages of these questions, about everybody and by site."""
    sites = ["", *sorted(pd.read_csv(folder / "visits.csv")["site"].dropna().unique())]
    return [page(folder, question, site) for question in questions for site in sites]


def page(folder: Path, question: str, site: str) -> Page:
    study = load_study(folder)
    source = notebook_of(study, study.question(question))
    given = {"study": str(folder), "question": question, "by": f"site={site}" if site else "", "disclosure": ""}
    try:
        return Page(question, site, run(source, given))
    except Exception as error:
        if type(error).__name__ not in ("DisclosureError", "EstimationError"):
            raise
        return Page(question, site, [{"text/html": "", "result+json": {}}], str(error))


def run(source: Path, given: dict[str, str]) -> list[dict[str, Any]]:
    """The bundles that the cells of a notebook show, run here."""
    return [bundle for _, bundle in answers.run(source, given) if bundle]


# What is told of a run: each page's people, and whom it leaves out, as sums over site and gaps.


class Run:
    """Sums over (site, pattern of gaps): a cell for each, and what the pages say of them."""

    def __init__(self, sites: list[str], profile: Profile) -> None:
        self.sites, self.profile = sites, profile
        self.patterns = [tuple(bool(code >> place & 1) for place in range(len(COLUMNS))) for code in range(16)]
        self.told: list[tuple[np.ndarray, float, float]] = []

    def cells(self, site: str, test: Any) -> np.ndarray:
        """The cells of a site ("" for all) whose pattern of gaps fulfils a test."""
        return np.array([(not site or one == site) and test(gap) for one in self.sites for gap in self.patterns], float)

    def inside(self, question: str, site: str) -> np.ndarray:
        return self.cells(site, lambda gap: not any(gap[COLUMNS.index(name)] for name in GAPS[question]))

    def first(self, question: str, site: str, column: str) -> np.ndarray:
        """Those whom a question leaves out for a gap in this column, and in none that is looked at before."""
        before = GAPS[question][: GAPS[question].index(column)]
        return self.cells(
            site, lambda gap: gap[COLUMNS.index(column)] and not any(gap[COLUMNS.index(name)] for name in before)
        )

    def everyone(self, site: str) -> np.ndarray:
        return self.cells(site, lambda gap: True)

    def say(self, cells: np.ndarray, value: Any, step: int = 1) -> None:
        """A published count, exact or rounded to the nearest `step`; None says nothing."""
        if value in (None, "", "not shown"):
            return
        count = float(str(value).replace(",", "").replace("−", ""))
        self.told.append((cells, count - (step - 1) / 2 - (step % 2 == 0) / 2, count + (step - 1) / 2))

    def hear(self, found: list[Page]) -> None:
        for one in found:
            if one.why:
                continue
            result, site, asked = one.result, one.site, one.question
            step = result["data"]["rounded_to"]
            self.say(self.everyone(site), result["data"]["rows"], step)
            for count in (result["data"]["used"], result["effect"]["n"], result["crude"]["n"]):
                self.say(self.inside(asked, site), count, step)
            steps = {line["why"]: line["rows"] for line in result["data"]["dropped"]}
            untold = "left out, for whatever reason" in steps
            for column in GAPS[asked]:
                why = f"{column} missing"
                cells = self.first(asked, site, column)
                self.say(cells, steps.get(why, None if untold else 0), step)
                if steps.get(why, 0) is None:
                    self.told.append((cells, 1.0, np.inf))
            for _, rows in one.tables():
                self.table(asked, site, rows, step)

    def table(self, asked: str, site: str, rows: list[dict[str, str]], step: int) -> None:
        """Any table with an n of the whole answer, or with the steps of the flow."""
        for row in rows:
            label = next((row[name] for name in ("row", "Effect") if name in row), "")
            if label in ("Crude", "Adjusted", "adjusted", "crude") and row.get("n"):
                self.say(self.inside(asked, site), row["n"], step)
            why = row.get("step") or row.get("Step") or ""
            count = row.get("rows") or row.get("Rows")
            if why == "Arrived":
                self.say(self.everyone(site), count, step)
            elif why == "Analysed":
                self.say(self.inside(asked, site), count, step)
            elif why.endswith(" missing"):
                self.say(self.first(asked, site, why.removesuffix(" missing")), count, step)

    def reach(self, cells: np.ndarray) -> tuple[float, float]:
        """The least and the most that a sum can be."""
        of = np.array([one for one, _, _ in self.told])
        low, high = (np.array([limit[place] for limit in self.told], float) for place in (1, 2))
        bounded = np.isfinite(high)
        above, upto = np.vstack([of[bounded], -of]), np.concatenate([high[bounded], -low])
        found = []
        for sign in (1, -1):
            solved = linprog(sign * cells, A_ub=above, b_ub=upto + 1e-7, bounds=(0, None), method="highs")
            assert solved.status in (0, 3), solved.message
            found.append(sign * solved.fun if solved.status == 0 else np.inf)
        return np.ceil(found[0] - 1e-4), np.floor(found[1] + 1e-4)


def recovered(frame: pd.DataFrame, found: list[Page], profile: Profile) -> list[str]:
    """Every small count of people in an answer, or left out of one, that the pages give away."""
    sites = sorted(frame["site"].dropna().unique())
    run_ = Run([*sites, *(["none"] if frame["site"].isna().any() else [])], profile)  # it is known who has a site
    run_.hear(found)
    where = frame["site"].fillna("none")
    gap = {name: frame[name].isna() for name in COLUMNS}
    given_away = []
    for asked, columns in GAPS.items():
        whole = ~pd.concat([gap[name] for name in columns], axis=1).any(axis=1)
        for site in ["", *sites]:
            here = where == site if site else where.notna()
            wanted = {f"{asked}: in the answer": (here & whole, run_.inside(asked, site))}
            before = pd.Series(False, index=frame.index)
            for name in columns:
                wanted[f"{asked}: {name} missing"] = (here & gap[name] & ~before, run_.first(asked, site, name))
                before |= gap[name]
            for what, (rows, cells) in wanted.items():
                people = frame.loc[rows, "person"].nunique()
                if not 0 < people < profile.threshold:
                    continue
                low, high = run_.reach(cells)
                if high - low < profile.width and not (low <= 1 and high >= profile.threshold - 1):
                    given_away.append(f"{what}, {site or 'all'}: {people} people, told as {low:g} to {high:g}")
    return given_away


# What is told of one page: its people by level of the exposure and side of the outcome.


def levels_recovered(frame: pd.DataFrame, found: Page, profile: Profile) -> list[str]:
    """Every small count of people at one level of kindness, or on one side there, that a page gives away."""
    levels = [1, 2, 3, 4, 5]
    told: list[tuple[np.ndarray, float]] = []
    cells = [(level, side) for level in levels for side in (0, 1)]

    def of(some: Any, sides: Any = (0, 1)) -> np.ndarray:
        return np.array([level in some and side in sides for level, side in cells], float)

    told.append((of(levels), float(found.result["data"]["used"])))
    for name, rows in found.tables():
        for row in rows:
            label = row.get("level") or row.get("Group") or row.get("Level") or ""
            ends = [int(float(end)) for end in re.findall(r"\d+(?:\.\d+)?", label)]
            count = (row.get("n") or "").replace(",", "")
            share = row.get("Per cent") or row.get("mean") or row.get("Mean")
            if not ends or not count or share is None or "terms" in name:
                continue
            some = range(ends[0], ends[-1] + 1)
            told.append((of(some), float(count)))
            part = float(share.split()[0]) * float(count) / 100
            if abs(part - np.rint(part)) < 1e-6:  # in full precision, as the CSV has it
                told.append((of(some, [1]), float(np.rint(part))))
    matrix, values = np.array([one for one, _ in told]), np.array([value for _, value in told])
    inside = frame.dropna(subset=["stayed", "kindness", "severity"])
    if found.site:
        inside = inside[inside["site"] == found.site]
    given_away = []
    for wanted, what in [(of([level], sides), f"{level} {sides}") for level in levels for sides in ([0, 1], [0], [1])]:
        rows = inside[
            inside["kindness"].eq(int(what[0])) & inside["stayed"].isin([int(s) for s in what[3:-1].split(",")])
        ]
        if not 0 < rows["person"].nunique() < profile.threshold:
            continue
        ends = []
        for sign in (1, -1):
            solved = linprog(sign * wanted, A_eq=matrix, b_eq=values, bounds=(0, None), method="highs")
            assert solved.status == 0, solved.message
            ends.append(sign * solved.fun)
        if np.floor(ends[1] + 1e-6) - np.ceil(ends[0] - 1e-6) < profile.width:
            given_away.append(f"level {what}: {len(rows)} people, told as {ends[0]:g} to {ends[1]:g}")
    return given_away
