"""The page of one question by the values of one column: sites in a funnel, months in a chart, each told in words.

Beside the reports of a question by site lies `by-site.html`. Sites stand in the order of the alphabet and are never
ranked: the order among sites that are in line with one another is chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from researchkit import figures, wording
from researchkit.groups import DIFFERS, IN_LINE, TOO_FEW, Chart, Funnel, Groups, Point, chart, found, funnel, gathered
from researchkit.places import LONGEST_NAME, RESULT, STATUS
from researchkit.tables import Col, Table

SEED = 1984  # of the false alarms: the same reports give the same page
PAGES = "by-*.html"
NAMED = 60  # letters of a value that is named in a sentence
WORDS = (DIFFERS, TOO_FEW, IN_LINE)
LISTED = 12  # values that a sentence has room for


@dataclass(frozen=True)
class Beside:
    """One such page: where it lies, and a mark of everything that it is made from."""

    folder: Path
    prefix: str
    mark: str

    @property
    def path(self) -> Path:
        name = self.prefix
        if len(name) > LONGEST_NAME:
            name = f"{name[:LONGEST_NAME]}~{sha256(name.encode()).hexdigest()[:12]}"
        return self.folder / f"by-{name}.html"

    @property
    def made(self) -> bool:
        """Whether the page lies there, made from the very same things."""
        try:
            return self.mark in self.path.read_text(encoding="utf-8")
        except OSError:
            return False

    def view(self) -> dict[str, Any] | None:
        """Everything that the page prints, or None where the reports are not by a column."""
        groups = gathered(self.folder, self.prefix)
        return view(groups) | {"mark": self.mark} if groups else None


def pages(out: Path) -> Iterator[Beside]:
    """A page for every question with at least three reports by one column."""
    for folder, prefix in found(out):
        yield Beside(folder, prefix, mark_of(folder, prefix))


def mark_of(folder: Path, prefix: str) -> str:
    """A digest of the reports and of the code that sets them side by side."""
    total = sha256(code().encode())
    for place in [folder, *sorted(folder.glob("*=*/"))]:
        if place == folder or place.name.startswith(f"{prefix}="):
            for name in (RESULT, STATUS):
                file = place / name
                total.update(f"{place.name}/{name}".encode() + (file.read_bytes() if file.exists() else b""))
    return f"made from {total.hexdigest()}"


@cache
def code() -> str:
    """A digest of what draws and words these pages."""
    here = Path(__file__).parent
    files = [Path(__file__), *sorted((here / "groups").glob("*.py")), *sorted((here / "templates").glob("*.*"))]
    files += [*sorted((here / "figures").glob("*.py")), here / "wording.py", here / "tables" / "table.py"]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def view(groups: Groups) -> dict[str, Any]:
    """The parts of the page, in words; HTML only from our own tables and figures."""
    rows = chart(groups, np.random.default_rng(SEED))
    sites = None if rows and rows.in_time else funnel(groups)
    parts = []
    if rows:
        parts.append(in_a_row(groups, rows))
    if sites or not rows:
        parts.append(side_by_side(groups, sites))
    return {
        "title": groups.title,
        "study": groups.study_title,
        "by": named(groups),
        "contrast": groups.contrast,
        "simulated": groups.simulated,
        "parts": parts,
        "hidden": [(short(point.value), point.hidden) for point in groups.points if point.hidden],
        "links": [(short(point.value), point.folder, point.word) for point in groups.points],
        "cautions": cautions(groups),
    }


def cautions(groups: Groups) -> list[str]:
    told = []
    if groups.studies > 1:
        told.append(
            f"These reports were made from {wording.count(groups.studies)} versions of the study file; run them again "
            "before you compare them."
        )
    return told


def side_by_side(groups: Groups, found: Funnel | None) -> dict[str, Any]:
    """The funnel with its words and its table."""
    many, by = len(groups.shown), plural(groups)
    heading = f"{wording.capital(by)} side by side"
    if found is None:
        told = f"{wording.count(many)} of {wording.count(len(groups.points))} have an estimate; it takes 3 to compare."
        return {"heading": heading, "lead": told, "words": [], "blocks": [site_table(groups, None).to_html()]}
    words = [centre(groups, found), correction(many, by), spread(found, by)]
    words.append(
        "“In line” means that chance alone can explain where one lies; it does not say that it is like the others. The "
        "last columns say how far from the others it lies, and within what chance alone would leave it. There is no "
        "order among those that are in line: it would be an order by chance."
    )
    blocks = [figures.funnel(groups, found).to_html(), site_table(groups, found).to_html()]
    return {"heading": heading, "lead": verdicts(groups, found), "words": words, "blocks": blocks}


def verdicts(groups: Groups, found: Funnel) -> str:
    """How many are in line, which are not, and which nobody can tell."""
    by, many = plural(groups), wording.count(len(found.sites))
    names = {word: [short(one.point.value) for one in found.sites if one.word == word] for word in WORDS}
    strange, few, fine = (names[word] for word in WORDS)
    told = [f"None of {many} {by} differs from the others by more than chance would."]
    if strange:
        does = "differs" if len(strange) == 1 else "differ"
        told = [f"{wording.count(len(strange))} of {many} {by} {does} from the others by more than chance would: "]
        told[0] += f"{listed(strange)}."
    if few:
        told.append(f"Too few to tell: {listed(few)}.")
    if fine:
        rest = "All" if len(fine) == len(found.sites) else wording.count(len(fine))
        told.append(f"{rest} {'is' if len(fine) == 1 else 'are'} in line with the others.")
    return " ".join(told)


def centre(groups: Groups, found: Funnel) -> str:
    scale, unit = wording.scale(groups.unit)
    value = wording.number(scale * found.centre, sign=True)
    those = "those that do not stand out" if found.differing else "all of them"
    told = f"The centre is {value} {wording.units(unit, value)}: the mean of {those}, weighted by precision."
    if groups.whole and groups.whole.shown:
        estimate, limits = numbers(groups.whole, scale)
        told += f" All together, in one answer, have {estimate} ({limits})."
    return told


def correction(many: int, by: str) -> str:
    return (
        f"The limits are corrected for {wording.count(many)} {by} (Bonferroni): if none differed from the others, the "
        "chance that any one were called different would be at most 5 %."
    )


def spread(found: Funnel, by: str) -> str:
    if found.spread is None:
        return f"There are too few {by} to tell whether they spread more widely than chance makes them."
    phi = wording.number(found.spread, 2)
    if found.widened == 1:
        return f"The {by} spread about as chance alone makes them (variance {phi} times that of chance)."
    return (
        f"The {by} spread more widely than chance makes them (variance {phi} times that of chance), so something that "
        f"was not asked differs between many of them; the limits are widened {wording.number(found.widened, 2)} times, "
        "so that only what stands out even so is called different."
    )


def site_table(groups: Groups, found: Funnel | None) -> Table:
    scale, unit = wording.scale(groups.unit)
    told = {site.point.folder: site for site in found.sites} if found else {}
    places = max((wording.decimals(2 * scale * site.reach) for site in told.values()), default=0)
    # What all have less what the others have would be the count that is hidden.
    counts = all(point.shown for point in groups.points)
    rows = []
    for point in groups.points:
        site = told.get(point.folder)
        cells = [short(point.value), *(numbers(point, scale) if point.shown else ("not shown", ""))]
        cells += [wording.count(point.n) if point.n is not None else ""] if counts else []
        away, within = "", ""
        if site:
            away = wording.fixed(scale * site.apart, places, sign=True)
            within = " to ".join(wording.fixed(sign * scale * site.reach, places) for sign in (-1, 1))
        rows.append((*cells, away, within, site.word if site else point.hidden or TOO_FEW))
    heads = [("Estimate", "right"), (f"{wording.level(groups.level)} interval", "right")]
    heads += [("n", "right")] if counts else []
    heads += [("Away from the others", "right"), ("Chance alone", "right"), ("In words", "left")]
    columns = (Col(wording.capital(named(groups))), *(Col(*head) for head in heads))
    return Table(
        f"Each {named(groups)}, in {wording.units(unit)}", columns, tuple(rows), "In the order of the alphabet."
    )


def in_a_row(groups: Groups, found: Chart) -> dict[str, Any]:
    """The control chart with its words and its table."""
    by = named(groups)
    words = [rules_told(found), baseline_told(found)]
    if not found.in_time:
        words.append(
            f"The values of {by} are whole numbers, read here as an order in time. If they are mere names, the order "
            "means nothing, and only the comparison side by side below speaks."
        )
    blocks = [figures.chart(groups, found).to_html(), step_table(groups, found).to_html()]
    return {
        "heading": f"{wording.capital(plural(groups))} in a row",
        "lead": latest(groups, found),
        "words": [text for text in words if text],
        "blocks": blocks,
    }


def latest(groups: Groups, found: Chart) -> str:
    """The word for the last month, and the signals before it."""
    last = found.latest
    told = f"The latest {named(groups)}, {short(last.point.value)}: {last.word} ({last.reason})."
    before = [short(step.point.value) for step in found.signals if step is not last]
    return f"{told} Signals before: {listed(before)}." if before else told


def rules_told(found: Chart) -> str:
    if found.false_alarms is None:
        return ""
    rate = wording.percent(found.false_alarms, 0)
    return (
        "A signal is a point beyond the limits (three standard errors from the centre), the eighth or a later one in a "
        "row on one side of the centre, or the sixth or a later one in a row that rises or falls. Everything else is "
        f"noise: chance alone moves estimates so much. Where nothing happens at all, {rate} of charts like this one "
        "show at least one signal after their baseline (simulated)."
    )


def baseline_told(found: Chart) -> str:
    if found.centre is None:
        return ""
    told = f"The centre is the mean of the first {wording.count(found.baseline)}, weighted by precision."
    return told if found.calm else f"{told} A rule fires among these already, so the centre is in doubt."


def step_table(groups: Groups, found: Chart) -> Table:
    scale, unit = wording.scale(groups.unit)
    rows = []
    for step in found.steps:
        cells = numbers(step.point, scale) if step.point.shown else ("not shown", "")
        ends = ""
        if step.low is not None and step.high is not None:
            ends = wording.interval(scale * step.low, scale * step.high)
        rows.append((short(step.point.value), *cells, ends, step.word, step.reason))
    heads = [("Estimate", "right"), (f"{wording.level(groups.level)} interval", "right")]
    heads += [("Limits of noise", "right"), ("Says", "left"), ("Because", "left")]
    columns = (Col(wording.capital(named(groups))), *(Col(*head) for head in heads))
    return Table(f"Each {named(groups)}, in {wording.units(unit)}", columns, tuple(rows), "In the order of time.")


def numbers(point: Point, scale: float) -> tuple[str, str]:
    return wording.estimate(scale * point.estimate, scale * point.low, scale * point.high, sign=True)


def named(groups: Groups) -> str:
    return short(groups.column.replace("_", " "))


def plural(groups: Groups) -> str:
    return wording.units(named(groups))


def short(text: str) -> str:
    """A value from the data that does not fill the page."""
    return text if len(text) <= NAMED else text[: NAMED - 1] + "…"


def listed(names: Sequence[str]) -> str:
    """Names in a row, those beyond a dozen counted."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {wording.count(more)} more" if more > 0 else "")
