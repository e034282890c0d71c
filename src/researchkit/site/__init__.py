"""The index over the reports, the ledger of the claims, what was planted, and the page of a report that failed.

All of them are made from what lies in the reports folder: `result.json` of each report, and `run.json` for those that
stopped. A report that stopped is listed with its reason, never with an older result.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from researchkit import beside, figures
from researchkit.claims import claims
from researchkit.export import CHIPS, TEMPLATES, style
from researchkit.places import put
from researchkit.site import book, truths
from researchkit.site.rows import entries, key_of, rows_of, stopped
from researchkit.study import located
from researchkit.tables import Table

DOORS = {
    "loyalty": ("Loyalty", "Do people come back?"),
    "recovery": ("Recovery", "Do people get better, or get their problem solved, sooner?"),
    "burnout": ("Burnout", "What does it do to those who do the work?"),
}
CALIBRATION = "calibration.html"
LEDGER, SHEET, PLANTED = "ledger.html", "ledger.csv", "planted.html"
STANDINGS = {  # of a situation in the calibration: how it looks, and what it is called
    "holds": ("good", "kept"),
    "beyond": ("open", "beyond the promise"),
    "refused": ("small", "mostly refused"),
    "misses": ("failed", "missed"),
    "narrow": ("open", "lower than chance makes likely"),
    "wide": ("small", "wider than promised"),
}
ORIGINS = ("real data", "simulated")


def write_index(out: Path) -> Path:
    """Write `index.html` for every study and over all of them.

    Parameters
    ----------
    out
        The reports folder: `<study>/<question>[/<by>=<value>]/result.json`, and `run.json` where a run left one.

    Returns
    -------
    Path
        The index over all.
    """
    out = Path(out)
    not_made = stopped(out)
    rows = [row for row in rows_of(out) if row["key"] not in {one["key"] for one in not_made}]
    left = {key_of(entry) for entry in entries(out) if entry.get("unchanged")}
    rows = [{**row, "left": row["key"] in left} for row in rows]
    studies = sorted({row["key"][0] for row in [*rows, *not_made]})
    groups = _beside(out, rows)
    for study in studies:
        if (out / study).is_dir():
            own, gone, by = ([row for row in part if row["key"][0] == study] for part in (rows, not_made, groups))
            put(out / study / "index.html", _page(own, gone, by, start=f"{quote(study)}/", up="../index.html"), out)
    if calibration := _calibration():
        put(out / CALIBRATION, calibration, out)
    told = _ledgers(out, rows, not_made, groups)
    put(out / "index.html", _page(rows, not_made, groups, told=told), out)
    return out / "index.html"


def _ledgers(
    out: Path, rows: Sequence[dict[str, Any]], not_made: Sequence[dict[str, Any]], groups: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Write the ledger, its sheet and, where something was planted, its page; what the index says of them."""
    planted = truths.held(rows)
    links = {"sheet": SHEET, "planted": PLANTED if planted else ""}
    mark = _mark(rows, not_made, groups)
    if not planted:
        (out / PLANTED).unlink(missing_ok=True)
    if not _made(out, mark, *filter(None, links.values())):
        css = style() + (TEMPLATES / "ledger.css").read_text(encoding="utf-8")
        if planted:
            counts, words = truths.counts(planted), truths.words(planted)
            put(out / PLANTED, _render("planted", counts, lines=planted, words=words, style=css), out)
        view = book.view(rows, not_made, groups)
        put(out / SHEET, book.sheet(rows, not_made).to_csv(), out)
        put(out / LEDGER, _render("ledger", view, **links, mark=mark, style=css), out)
    return {"link": LEDGER, "answered": book.answered(rows), "claims": len(claims()), **links}


def _mark(*told: Sequence[dict[str, Any]]) -> str:
    """A digest of everything that the ledger is made from, and of what makes it."""
    rows = [
        [{name: part for name, part in row.items() if name not in ("since", "left")} for row in one] for one in told
    ]
    return f"made from {sha256((_code() + json.dumps(rows, default=str)).encode()).hexdigest()}"


@cache
def _code() -> str:
    home = TEMPLATES.parent
    files = [home / name for name in ("claims.yml", "claims.py", "wording.py")]
    files += [
        path for folder in ("rivals", "site", "evidence", "templates") for path in sorted((home / folder).glob("*.*"))
    ]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _made(out: Path, mark: str, *beside: str) -> bool:
    """Whether the ledger lies there, made from the very same things, with what belongs to it."""
    try:
        there = (out / LEDGER).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return mark in there and all((out / name).exists() for name in beside)


@cache
def _calibration() -> str:
    """The page of how often the intervals hold the truth; "" where no results lie in the package."""
    from researchkit.calibrate import page, tell, tried

    if not tell.RESULTS.exists():
        return ""
    told = page.view(tell.read()) | {"designs": page.designs(tried.read())}
    return _template("calibration.html.j2").render(told, looks=STANDINGS, style=style())


def ledger(out: str | Path) -> Table:
    """Every answer in a reports folder, one line each, in the order of the claims."""
    out = located(out)
    return book.answers(rows_of(out), f"No report lies in {out} yet; `researchkit run` makes them.")


def unanswered(out: str | Path) -> Table:
    """The claims that no report in the folder speaks to, with the data that each would need."""
    return book.unanswered(rows_of(located(out)))


def planted(out: str | Path) -> Table:
    """What simulated studies had planted, beside what their reports in the folder found."""
    return truths.table(rows_of(located(out)))


def failed_page(title: str, what_failed: str, details: str | Sequence[str] = ()) -> str:
    """The page in the place of a report that could not be made: what failed, and what is known about it.

    Parameters
    ----------
    title
        The question.
    what_failed
        The message, for people.
    details
        Facts below it, one a line.
    """
    lines = [details] if isinstance(details, str) else list(details)
    return _template("failed.html.j2").render(
        title=title, what=what_failed, details=[line for line in lines if line], style=style()
    )


def _beside(out: Path, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pages that set sites side by side: written where out of date, removed where there is nothing to set."""
    titles = {row["key"][:2]: row["title"] for row in rows}
    made = {}
    for page in beside.pages(out):
        view = None if page.made else page.view()
        if view or page.made:
            made[page.path] = page
        if view:
            with contextlib.suppress(
                FileNotFoundError
            ):  # another run is just replacing the folder, and comes here later
                put(page.path, _template("beside.html.j2").render(view, style=style()), out)
    for path in out.glob(f"*/*/{beside.PAGES}"):
        if path not in made:
            path.unlink(missing_ok=True)
    names = {path: path.relative_to(out).parts[:2] for path in made}
    return [
        {
            "key": names[path],
            "title": titles.get(names[path], names[path][1]),
            "by": unquote(page.prefix),
            "link": quote(path.relative_to(out).as_posix()),
        }
        for path, page in made.items()
    ]


def _page(
    rows: Iterable[dict[str, Any]],
    stopped: Sequence[dict[str, Any]],
    groups: Iterable[dict[str, Any]],
    start: str = "",
    up: str = "",
    told: Mapping[str, Any] | None = None,
) -> str:
    """The index over some rows; `start` is the folder that its links are seen from, `told` is of the ledger."""
    every = list(rows)
    unread = [{**row, "status": "unreadable", "reason": row["unread"]} for row in every if row.get("unread")]
    good = [_seen_from(row, start) for row in every if not row.get("unread")]
    gone = [_seen_from(row, start) for row in [*stopped, *unread]]
    doors = [(*words, [row for row in good if row["family"] == door]) for door, words in DOORS.items()]
    rest = [row for row in good if row["family"] not in DOORS]
    if rest:
        doors.append(("Others", "Questions outside the three doors.", rest))
    return _template("index.html.j2").render(
        doors=doors,
        stopped=gone,
        changes=_changes(good),
        lost=[row for row in gone if row.get("before")],
        groups=[_seen_from(row, start) for row in groups],
        chips=CHIPS,
        tally=[(word, chip, *(count(good, word, origin) for origin in ORIGINS)) for word, chip in CHIPS.items()],
        total=len(good),
        by_groups=any(row["by"] for row in good),
        studies=sorted({row["study"] for row in good}),
        only=(good[0]["study"] if good else start.strip("/")) if start else "",
        up=up,
        ledger=told,
        calibration="" if up or not _calibration() else CALIBRATION,
        key=figures.mini(2.2, 1.4, 3.0, 1.0),
        style=style(),
    )


def _changes(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that say something else than last time, changed verdicts first; not what the last run left alone."""
    changed = [row for row in rows if row["since"] and not row["left"]]
    return sorted(changed, key=lambda row: row["since"].rank)


def count(rows: Iterable[dict[str, Any]], word: str, origin: str) -> int:
    """How many of the rows have a verdict and an origin; invented people are never counted with real ones."""
    return sum(row["word"] == word and (row["origin"] == "simulated") == (origin == "simulated") for row in rows)


def _seen_from(row: dict[str, Any], start: str) -> dict[str, Any]:
    return {**row, "link": row["link"].removeprefix(start)}


def _render(name: str, *view: Mapping[str, Any], **more: Any) -> str:
    return str(_template(f"{name}.html.j2").render(*view, **more))


def _template(name: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
