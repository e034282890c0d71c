"""The ledger: every claim with what was asked of it, what came out, what others found, and what else could explain it.

It is made from what the reports folder shows already: results, reasons of reports that were not made, and links to
pages. Reports by site stand in one line of their question, counted by their words, so that a ledger of many sites can
still be read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from typing import Any
from urllib.parse import quote

import pandas as pd

from researchkit import evidence, wording
from researchkit.claims import Claim, claims, said_in
from researchkit.evidence.pools import pools
from researchkit.export import CHIPS
from researchkit.figures.mini import ground
from researchkit.rivals import overall
from researchkit.tables import Table, frame

Row = Mapping[str, Any]

GROUPS = {
    "loyalty": "Loyalty",
    "recovery": "Recovery",
    "burnout": "Burnout and job satisfaction",
    "mechanism": "Mechanisms: trust, resolution, communication",
    "culture": "Culture and leadership",
    "practice": "Practice, training and hiring",
    "channel": "Channel and technology",
}
HEADERS = ["Claim", "Asked", "Study", "Data", "Verdict", "Estimate", "95 % interval", "Rivals", "Marks"]
FACED = {"faced": "rf", "faced in part": "rp", "not faced": "rn"}  # how a line looks to the filters
DATA = {"real data": "real", "simulated": "made"}
NO_ANSWER, NOT_MADE = "no answer here", "failed"


def view(rows: Iterable[Row], stopped: Iterable[Row], beside: Iterable[Row]) -> dict[str, Any]:
    """Everything that the ledger's page prints, claim by claim in the order of their groups."""
    rows = list(rows)
    lines = lines_of(rows, stopped, beside)
    by_claim: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_claim.setdefault(line["claim"], []).append(line)
    told = [told_of(claim, by_claim.get(claim.id, [])) for claim in claims()]
    groups = [(key, title, [one for one in told if one["group"] == key]) for key, title in GROUPS.items()]
    known = {claim.id for claim in claims()}
    return {
        "groups": groups,
        "others": [line for line in lines if line["claim"] not in known],
        "answered": answered(rows),
        "claims": len(told),
        "lines": len(lines),
        "choices": _choices(lines, told),
        "hiding": _hiding(),
        "ground": ground(),
    }


def answered(rows: Iterable[Row]) -> int:
    """How many claims have an answer, be it of a group alone."""
    return len({row["claim"] for row in rows if not row.get("unread")} & {claim.id for claim in claims()})


def lines_of(rows: Iterable[Row], stopped: Iterable[Row], beside: Iterable[Row]) -> list[dict[str, Any]]:
    """One line a question: its answer, or why there is none, and how many of its groups have which word."""
    whole: dict[tuple[str, str], list[dict[str, Any]]] = {}
    parts: dict[tuple[str, str], Counter[str]] = {}
    first: dict[tuple[str, str], Row] = {}
    for row in rows:
        name = (row["key"][0], row["key"][1])
        if row.get("unread"):
            whole.setdefault(name, []).append(_failed(row, "unreadable", row["unread"]))
        elif row["by"]:
            parts.setdefault(name, Counter())[row["word"]] += 1
            first.setdefault(name, row)
        else:
            whole.setdefault(name, []).append(_line(row))
    for row in stopped:
        name = (row["key"][0], row["key"][1])
        if row["key"][2]:
            parts.setdefault(name, Counter())[row["status"]] += 1
            first.setdefault(name, row)
        else:
            whole.setdefault(name, []).append(_failed(row, row["status"], row["reason"]))
    links = {row["key"]: row["link"] for row in beside}
    for name in parts:
        if name not in whole:
            whole[name] = [_only_groups(first[name])]
        whole[name][0]["parts"] = ", ".join(f"{n} {word}" for word, n in parts[name].most_common())
        whole[name][0]["beside"] = links.get(name, "")
    return [line for lines in whole.values() for line in lines]


def _line(row: Row) -> dict[str, Any]:
    word = overall(one["word"] for one in row["rivals"])
    return {
        **_empty(row),
        "word": row["word"],
        "chip": row["chip"],
        "kinds": f"{row['chip']} {DATA.get(row['origin'], '')} {FACED[word]}",
        "rivals": word,
        "faces": _faces(row["rivals"]),
        "row": row,
    }


def _failed(row: Row, status: str, reason: str) -> dict[str, Any]:
    told = {"word": status, "chip": NOT_MADE, "kinds": NOT_MADE, "reason": reason}
    return {**_empty(row), **told, "title": row.get("asked") or row["title"]}


def _only_groups(row: Row) -> dict[str, Any]:
    """A question that was asked of groups alone."""
    origin = DATA.get(row.get("origin", ""), "")
    return {**_empty(row), "title": row.get("asked") or row["title"], "chip": "", "kinds": origin, "link": ""}


def _empty(row: Row) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "word": "",
        "rivals": "",
        "faces": [],
        "reason": "",
        "parts": "",
        "beside": "",
        "row": None,
    }
    names = {"title": row["title"], "link": row["link"], "claim": row.get("claim", "")}
    names["folder"] = quote(row["key"][0]) if row["link"] else ""  # of its study, where there is one
    return {**blank, **names, "study": row.get("study") or row["key"][0], "origin": row.get("origin", "")}


def _faces(rivals: Sequence[Mapping[str, str]]) -> list[tuple[int, str, str]]:
    """Each rival by its number in the claim's list: its word, and by what it is faced."""
    return [(number, one["word"], one["by"]) for number, one in enumerate(rivals, 1)]


def told_of(claim: Claim, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """A claim as the ledger tells it, with the lines that answer it."""
    return {
        "id": claim.id,
        "group": claim.group,
        "statement": claim.statement,
        "counter": claim.counter,
        "direction": claim.direction,
        "said": said_in(claim),
        "rivals": [rival.what for rival in claim.rivals],
        "needs": needed(claim),
        "tension": claim.tension,
        "published": published()[claim.id],
        "pools": pooled()[claim.id],
        "lines": lines,
    }


def needed(claim: Claim) -> list[tuple[str, str]]:
    """The data that would put the claim to the test, part by part."""
    needs = claim.needs
    names = {"exposure": "Exposure", "outcome": "Outcome", "rows": "One row", "waves": "When"}
    named = [(words, getattr(needs, part)) for part, words in names.items()]
    return [*named, ("Sources apart", needs.apart), ("At least", needs.least), ("Of whom", claim.population)]


@cache
def published() -> dict[str, list[tuple[str, str]]]:
    """What others have found, by claim: each study, and its design with the effect as printed."""
    found: dict[str, list[tuple[str, str]]] = {claim.id: [] for claim in claims()}
    for row in evidence.published().to_dict("records"):
        printed = "" if pd.isna(row["effect"]) else f"; {row['effect_measure']} {wording.number(row['effect'])}"
        for claim in row["claim_ids"]:
            found[claim].append((row["citation_short"], f"{row['design']}{printed}"))
    return found


@cache
def pooled() -> dict[str, list[str]]:
    """By claim, the pools that hold a result on it, in a sentence each."""
    found: dict[str, list[str]] = {claim.id: [] for claim in claims()}
    for pool in pools():
        for claim in sorted({claim for ids in pool.rows["claim_ids"] for claim in ids}):
            found[claim].append(_pooled(pool))
    return found


def _pooled(pool: Any) -> str:
    made, back = pool.synthesis, pool.metric.back
    of = f"{pool.title} ({made.k} studies, {pool.metric.unit})"
    if made.low != made.low:
        return f"{of}: two results; an interval for their mean would tell nothing."
    mean, limits = wording.estimate(*(back(value) for value in (made.estimate, made.low, made.high)))
    new = wording.interval(back(made.next_low), back(made.next_high))
    return f"{of}: mean {mean} ({limits}); a new study is expected between {new.replace(' to ', ' and ')}."


def _choices(lines: Sequence[Row], told: Sequence[Row]) -> list[tuple[str, str, list[tuple[str, str, int]]]]:
    """The filters: a name, a legend, and each choice with how many lines it leaves (claims, of those without one)."""
    kinds = Counter(kind for line in lines for kind in line["kinds"].split())
    verdicts = [(chip, word, kinds[chip]) for word, chip in CHIPS.items()]
    verdicts += [(NOT_MADE, "not answered", kinds[NOT_MADE])]
    verdicts += [("none", NO_ANSWER, sum(not one["lines"] for one in told))]
    groups = [(key, title.partition(":")[0], 0) for key, title in GROUPS.items()]
    origins = [(key, word, kinds[key]) for word, key in DATA.items()]
    faced = [(key, word, kinds[key]) for word, key in FACED.items()]
    return [
        ("g", "Claims about", groups),
        ("v", "Verdict", verdicts),
        ("o", "Data", origins),
        ("r", "Other explanations", faced),
    ]


@cache
def _hiding() -> tuple[tuple[str, str], ...]:
    """Selectors of each choice of verdict, data and rivals: the boxes that are checked, and the lines that stay."""
    verdicts, faced = [*CHIPS.values(), NOT_MADE, ""], [*FACED.values(), ""]
    made = []
    for chosen in product(verdicts, [*DATA.values(), ""], faced):
        if any(chosen):
            boxes = "".join(f":has(#{name}-{one}:checked)" for name, one in zip("vor", chosen, strict=True) if one)
            made.append((boxes, "".join(f".{one}" for one in chosen if one)))
    return tuple(made)


def answers(rows: Iterable[Row], empty: str) -> Table:
    """Every answer, one line each, in the order of the claims; `empty` is said where there is none."""
    order = {claim.id: place for place, claim in enumerate(claims())}
    told = [row for row in rows if not row.get("unread")]
    lines = [
        {
            "Claim": row["claim"],
            "Asked": row["title"],
            "Study": row["study"] + (f" ({row['by']})" if row["by"] else ""),
            "Data": row["origin"],
            "Verdict": row["word"],
            "Estimate": f"{row['estimate']} {row['unit']}",
            "95 % interval": row["limits"],
            "Rivals": overall(one["word"] for one in row["rivals"]),
            "Marks": ", ".join(row["marks"]),
        }
        for row in sorted(told, key=lambda row: order.get(row["claim"], len(order)))
    ]
    return frame(pd.DataFrame(lines, columns=HEADERS), "Every answer", "" if lines else empty)


def unanswered(rows: Iterable[Row]) -> Table:
    """The claims that no report speaks to, with the data that each would need."""
    asked = {row.get("claim") for row in rows}
    lines = [
        {
            "Claim": claim.id,
            "Says": claim.statement,
            **dict(needed(claim)),
            "And must face": "; ".join(rival.what for rival in claim.rivals),
        }
        for claim in claims()
        if claim.id not in asked
    ]
    empty: dict[str, list[str]] = {
        header: [] for header in ("Claim", "Says", *dict(needed(claims()[0])), "And must face")
    }
    return frame(pd.DataFrame(lines or empty), "Claims without an answer here")


def sheet(rows: Iterable[Row], stopped: Iterable[Row]) -> Table:
    """The ledger for a spreadsheet: a line an answer, at full precision; claims without one have a line, too."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if not row.get("unread"):
            lines.setdefault(row["claim"], []).append(_exact(row))
    for row in stopped:
        names = dict(zip(("study", "question", "by"), row["key"], strict=True))
        told = {**names, "asked": row["asked"], "status": row["status"], "reason": row["reason"], "page": row["link"]}
        lines.setdefault(row["claim"], []).append(told)
    every = []
    for claim in claims():
        found = lines.pop(claim.id, None) or [{"status": NO_ANSWER}]
        of = {"claim": claim.id, "group": claim.group, "says": claim.statement, "said_in": said_in(claim)}
        more = {"published": len(published()[claim.id]), "needs": "; ".join(f"{a}: {b}" for a, b in needed(claim))}
        every += [{**of, **line, **more} for line in found]
    every += [{"claim": name, **line} for name, found in lines.items() for line in found]
    return frame(pd.DataFrame(every), "Ledger")


def _exact(row: Row) -> dict[str, Any]:
    study, question, by = row["key"]
    words = {word: [one for one in row["rivals"] if one["word"] == word] for word in ("faced", "probed", "open")}
    by_what = [f"{one['what']}: {one['by']}" for one in (*words["faced"], *words["probed"])]
    return {
        **{"study": study, "question": question, "by": by, "asked": row["title"], "status": "ok"},
        **{"data": row["origin"], "design": row["design"], "verdict": row["word"], **row["exact"]},
        "rivals": overall(one["word"] for one in row["rivals"]),
        "faced_by": "; ".join(by_what),
        "not_faced": "; ".join(one["what"] for one in words["open"]),
        "marks": "; ".join(row["marks"]),
        "page": row["link"],
    }
