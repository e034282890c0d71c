"""The pages around the reports: front page, studies, ledger, claims, glossary, calibration, and what was planted.

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

from researchkit import beside
from researchkit.claims import claims
from researchkit.export import TEMPLATES
from researchkit.places import put
from researchkit.site import book, claim, find, front, truths, words
from researchkit.site.draw import CALIBRATION, CLAIMS, INDEX, LEDGER, PLANTED, SHEET, WORDS, lay, render, script
from researchkit.site.rows import entries, key_of, rows_of, stopped
from researchkit.study import located
from researchkit.tables import Table

STANDINGS = {  # of a situation in the calibration: how it looks, and what it is called
    "holds": ("good", "kept"),
    "beyond": ("open", "beyond the promise"),
    "refused": ("small", "mostly refused"),
    "misses": ("failed", "missed"),
    "narrow": ("open", "lower than chance makes likely"),
    "wide": ("small", "wider than promised"),
}
Rows = Sequence[dict[str, Any]]


def write_index(out: Path) -> Path:
    """Write the pages around the reports of a folder; those that say the same as before are left as they are.

    Parameters
    ----------
    out
        The reports folder: `<study>/<question>[/<by>=<value>]/result.json`, and `run.json` where a run left one.

    Returns
    -------
    Path
        The front page.
    """
    out = Path(out)
    not_made = stopped(out)
    rows = [row for row in rows_of(out) if row["key"] not in {one["key"] for one in not_made}]
    left = {key_of(entry) for entry in entries(out) if entry.get("unchanged")}
    rows = [{**row, "left": row["key"] in left} for row in rows]
    groups = _beside(out, rows)
    for study in sorted({row["key"][0] for row in [*rows, *not_made]}):
        if (out / study).is_dir():
            own, gone, by = ([row for row in part if row["key"][0] == study] for part in (rows, not_made, groups))
            lay(out / study / INDEX, _study(study, own, gone, by), out)
    if calibration := _calibration():
        lay(out / CALIBRATION, calibration, out)
    lay(out / WORDS, _words(), out)
    told = _ledgers(out, rows, not_made, groups)
    lay(out / INDEX, _front(out, rows, not_made, groups, told), out)
    return out / INDEX


def _front(out: Path, rows: Rows, not_made: Rows, groups: Rows, told: Mapping[str, Any]) -> str:
    view = front.view(rows, not_made, groups)
    asked = view["questions"]
    studies = front.studies(asked, [one for one in {q["key"][0] for q in asked} if (out / one).is_dir()])
    code, allowed = script()
    more = {"doors": front.doors(asked), "studies": studies, "found": find.embedded(find.entries(studies))}
    more |= {"find": code, "script": allowed, "first": claim.place(claims()[0].id), "calibration": _calibration()}
    return render("index", view, told, more, here=INDEX, ledger=told)


def _study(name: str, rows: Rows, not_made: Rows, groups: Rows) -> str:
    view = front.view(rows, not_made, groups, start=f"{quote(name)}/")
    title = next((row["study"] for row in rows if not row.get("unread")), name)
    return render("study", view, study=front.study(view["questions"]), title=title, home="../", here=INDEX)


def _ledgers(out: Path, rows: Rows, not_made: Rows, groups: Rows) -> dict[str, Any]:
    """Write the ledger, its sheet, a page a claim and what was planted; what the front page says of them."""
    planted = truths.held(rows)
    names = [SHEET, *([PLANTED] if planted else []), *(claim.place(one.id) for one in claims())]
    mark = _mark(rows, not_made, groups)
    if not planted:
        (out / PLANTED).unlink(missing_ok=True)
    links = {"sheet": SHEET, "planted": PLANTED if planted else ""}
    if not _made(out, mark, *names):
        if planted:
            counts, told = truths.counts(planted), truths.words(planted)
            lay(out / PLANTED, render("planted", counts, lines=planted, told=told), out)
        lines = book.lines_of(rows, not_made, groups)
        (out / CLAIMS).mkdir(exist_ok=True)
        for one, view in claim.views(lines).items():
            lay(out / claim.place(one), render("claim", view, home="../", here=LEDGER), out)
        lay(out / SHEET, book.sheet(rows, not_made).to_csv(), out)
        view = book.view(rows, not_made, groups)
        lay(out / LEDGER, render("ledger", view, links, mark=mark, here=LEDGER), out)
    return {"answered": book.answered(rows), "claims": len(claims()), **links}


def _mark(*told: Rows) -> str:
    """A digest of everything that the ledger is made from, and of what makes it."""
    rows = [
        [{name: part for name, part in row.items() if name not in ("since", "left")} for row in one] for one in told
    ]
    return f"made from {sha256((_code() + json.dumps(rows, default=str)).encode()).hexdigest()}"


@cache
def _code() -> str:
    home = TEMPLATES.parent
    files = [home / name for name in ("claims.yml", "claims.py", "wording.py", "glossary.py")]
    files += [
        path for folder in ("rivals", "site", "evidence", "templates") for path in sorted((home / folder).glob("*.*"))
    ]
    return sha256(b"".join([*(file.read_bytes() for file in files), _words().encode()])).hexdigest()


def _made(out: Path, mark: str, *beside: str) -> bool:
    """Whether the ledger lies there, made from the very same things, with what belongs to it."""
    try:
        there = (out / LEDGER).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return mark in there and all((out / name).exists() for name in beside)


@cache
def _words() -> str:
    """The glossary."""
    return render("glossary", words.view(), here=WORDS)


@cache
def _calibration() -> str:
    """The page of how often the intervals hold the truth; "" where no results lie in the package."""
    from researchkit.calibrate import page, tell, tried

    if not tell.RESULTS.exists():
        return ""
    told = page.view(tell.read()) | {"designs": page.designs(tried.read())}
    return render("calibration", told, looks=STANDINGS, here=CALIBRATION)


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


def failed_page(title: str, what_failed: str, details: str | Sequence[str] = (), home: str | None = None) -> str:
    """The page in the place of a report that could not be made: what failed, and what is known about it.

    Parameters
    ----------
    title
        The question.
    what_failed
        The message, for people.
    details
        Facts below it, one a line.
    home
        The way from its folder to the reports folder, where that is known.
    """
    lines = [details] if isinstance(details, str) else list(details)
    return render("failed", title=title, what=what_failed, details=[line for line in lines if line], home=home)


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
                whole = (page.folder / "report.html").exists()
                put(page.path, render("beside", view, whole=whole, home="../../"), out)
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
