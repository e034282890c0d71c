"""The front page and the page of a study: three doors, what changed, what failed, and the reports of each study.

A question has one row, and its reports by site (or month) are folded below it, so that 500 reports can be read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from researchkit import figures, wording
from researchkit.export import CHIPS
from researchkit.figures.mini import ground
from researchkit.site import claim
from researchkit.site.book import GROUPS

Row = Mapping[str, Any]

DOORS = {
    "loyalty": ("Loyalty", "Do people come back?"),
    "recovery": ("Recovery", "Do people get better, or get their problem solved, sooner?"),
    "burnout": ("Burnout", "What does it do to those who do the work?"),
}
OTHERS = ("Others", "Questions outside the three doors.")
ORIGINS = ("real data", "simulated")
NO_CLAIM = "No claim of the ledger"
SHOWN = 8  # changes and failures that stand open; more are folded


def view(rows: Sequence[Row], stopped: Sequence[Row], beside: Sequence[Row], start: str = "") -> dict[str, Any]:
    """What the front page and a study's page share; `start` is the folder that links are seen from."""
    unread = [{**row, "status": "unreadable", "reason": row["unread"]} for row in rows if row.get("unread")]
    good = [seen_from(row, start) for row in rows if not row.get("unread")]
    gone = [named(seen_from(row, start), good) for row in (*stopped, *unread)]
    asked = questions(good, gone, [seen_from(row, start) for row in beside])
    changed = changes(good)
    return {
        "questions": asked,
        "stopped": gone,
        "failures": failures(gone),
        "told": [row for row in changed if row["since"].rank < 2],
        "quiet": [row for row in changed if row["since"].rank == 2],
        "lost": [row for row in gone if row.get("before")],
        "total": len(good),
        "by_groups": any(row["by"] for row in good),
        "chips": CHIPS,
        "shown": SHOWN,
        "ground": ground(),
        "key": figures.mini(2.2, 1.4, 3.0, 1.0),
        "latest": max((row["made"] for row in good), default=""),
    }


def seen_from(row: Row, start: str) -> dict[str, Any]:
    return {**row, "link": row["link"].removeprefix(start)}


def named(row: Row, good: Sequence[Row]) -> dict[str, Any]:
    """A report that was not made, with the words of its question and study, as far as others of it tell them."""
    study, question, _ = row["key"]
    title = next((one["title"] for one in good if one["key"][:2] == (study, question)), question.replace("_", " "))
    return {
        **row,
        "asked": row["asked"] or title,
        "study": next((one["study"] for one in good if one["key"][0] == study), study),
    }


def questions(rows: Iterable[Row], stopped: Iterable[Row], beside: Iterable[Row]) -> list[dict[str, Any]]:
    """One entry a question: its own report or why there is none, and its reports by group."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (*rows, *stopped):
        study, name, by = row["key"]
        by = row.get("label") or by
        entry = found.setdefault((study, name), {"key": (study, name), "row": None, "stop": None, "parts": {}})
        told = row.get("status")
        if by:
            entry["parts"].setdefault(by.partition("=")[0], []).append(row)
        else:
            entry["stop" if told else "row"] = row
    links = {(*row["key"], row["by"]): row["link"] for row in beside}
    for key, entry in found.items():
        entry["parts"] = [part(by, those, links.get((*key, by), "")) for by, those in entry["parts"].items()]
        any_one = entry["row"] or entry["stop"] or entry["parts"][0]["rows"][0]
        entry |= {"title": any_one.get("asked") or any_one["title"], "claim": any_one.get("claim", "")}
        entry |= {"study": any_one.get("study") or key[0], "family": any_one.get("family", "")}
        entry |= {"origin": any_one.get("origin", ""), "page": claim.place(entry["claim"])}
    return list(found.values())


def part(by: str, rows: Sequence[Row], link: str) -> dict[str, Any]:
    """The reports of one question by one column, counted by their words."""
    counts = Counter(row.get("status") or row["word"] for row in rows)
    order = [*CHIPS, *(word for word, _ in counts.most_common() if word not in CHIPS)]
    words = ", ".join(f"{wording.count(counts[word])} {word}" for word in order if counts[word])
    values = sorted(({**row, "value": value_of(row)} for row in rows), key=lambda row: in_order(row["value"]))
    return {"by": by, "rows": values, "words": words, "link": link, "bar": bar(rows)}


def in_order(value: str) -> list[tuple[bool, int, str]]:
    """By what groups are listed: numbers within a name by their size."""
    parts = re.split(r"([0-9]+)", value)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def value_of(row: Row) -> str:
    """Which group a report is about, or which parameters tell it apart."""
    by, label = row["key"][2].partition("=")[2], row.get("label") or ""
    return " · ".join(name for name in (by, label) if name)


def bar(rows: Iterable[Row]) -> list[tuple[str, int]]:
    """How many rows look how, in the order of the verdicts, those without an answer last."""
    looks = Counter("failed" if row.get("status") else row["chip"] for row in rows)
    return [(chip, looks[chip]) for chip in (*CHIPS.values(), "failed") if looks[chip]]


def failures(stopped: Iterable[Row]) -> list[tuple[str, str, list[Row]]]:
    """What was not answered, by how it ended and why, the most frequent first."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in stopped:
        found.setdefault((row["status"], row["reason"]), []).append(row)
    return sorted(((*why, rows) for why, rows in found.items()), key=lambda one: -len(one[2]))


def changes(rows: Iterable[Row]) -> list[Row]:
    """The rows that say something else than last time, changed verdicts first; not what the last run left."""
    changed = [row for row in rows if row["since"] and not row["left"]]
    return sorted(changed, key=lambda row: (row["since"].rank, bool(row["by"])))


def doors(asked: Sequence[Row]) -> list[dict[str, Any]]:
    """What each door leads to: a line for each group of claims and origin of data, and the questions behind it."""
    every = [(key, *words) for key, words in DOORS.items()]
    if any(one["family"] not in DOORS and one["row"] for one in asked):
        every.append(("", *OTHERS))
    return [door(title, asks, [one for one in asked if behind(one, key)]) for key, title, asks in every]


def behind(question: Row, key: str) -> bool:
    """Whether a question belongs to a door; one that failed says nothing of its family, and stands below instead."""
    return question["family"] == key or (not key and question["row"] and question["family"] not in DOORS)


def door(title: str, asks: str, asked: Sequence[Row]) -> dict[str, Any]:
    lines = []
    for group, name in [*GROUPS.items(), ("", NO_CLAIM)]:
        for origin in (*ORIGINS, ""):
            own = [one for one in asked if group_of(one) == group and one["origin"] == origin]
            if own:
                lines.append(line(group, name.partition(":")[0], origin, own))
    origins = {one["origin"] for one in asked}
    told = {"title": title, "asks": asks, "lines": lines, "questions": asked}
    return {**told, "mixed": len(origins) > 1, "simulated": origins == {"simulated"}}


def group_of(question: Row) -> str:
    known = claim.known().get(question["claim"])
    return known.group if known else ""


def line(group: str, name: str, origin: str, asked: Sequence[Row]) -> dict[str, Any]:
    """One line of a door: how many questions have which word; groups of people are not counted again."""
    whole = [one["row"] for one in asked if one["row"]]
    counts = Counter(row["word"] for row in whole)
    told = [(word, chip, counts.pop(word)) for word, chip in CHIPS.items() if counts[word]]
    told += [(word, "open", n) for word, n in counts.items() if n]
    only = len(asked) - len(whole)
    words = [f"{wording.count(n)} {word}" for word, _, n in told]
    words += [f"{wording.count(only)} by groups only"] if only else []
    return {"group": group, "name": name, "origin": origin, "words": ", ".join(words), "bar": bar(whole)}


def studies(asked: Sequence[Row], there: Iterable[str]) -> list[dict[str, Any]]:
    """The questions by study, in the order in which they come; `there` are the studies that have a page."""
    found: dict[str, list[Row]] = {}
    for one in asked:
        found.setdefault(one["key"][0], []).append(one)
    origins = {one["key"][0]: one["origin"] for one in asked if one["origin"]}
    pages = set(there)
    return [
        {
            "name": name,
            "title": next((one["study"] for one in own if one["study"] != name), name),
            "origin": origins.get(name, ""),
            "link": f"{quote(name)}/index.html" if name in pages else "",
            "questions": own,
            "reports": sum(bool(one["row"]) + sum(len(part["rows"]) for part in one["parts"]) for one in own),
        }
        for name, own in found.items()
    ]


def study(asked: Sequence[Row]) -> dict[str, Any]:
    """What a study's own page tells besides: what it is, its data, its plan; from what its results say."""
    rows = [
        one["row"] or next((row for part in one["parts"] for row in part["rows"] if "data" in row), None)
        for one in asked
    ]
    good = [row for row in rows if row and "data" in row]
    locks = sorted({row["plan"]["locked"] for row in good if row["plan"]["locked"]})
    return {
        "about": next((row["about"] for row in good if row["about"]), ""),
        "origin": next((row["origin"] for row in good), ""),
        "designs": list(dict.fromkeys(row["design"] for row in good if row["design"])),
        "profiles": sorted({row["data"]["profile"] or row["data"]["disclosure"] or "none" for row in good}),
        "prints": list(dict.fromkeys(row["data"]["fingerprint"] for row in good if row["data"]["fingerprint"])),
        "locked": locks,
        "seal": next((row["plan"]["sha256"] for row in good if row["plan"]["sha256"]), ""),
        "plans": [(one, one["row"]) for one in asked if one["row"]],
    }
