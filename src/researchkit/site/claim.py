"""A page a claim: who makes it, what came of it here, what others found, what else could explain it, what is open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from researchkit import evidence, wording
from researchkit.claims import Article, Claim, articles, claims
from researchkit.evidence import scale
from researchkit.figures.mini import ground
from researchkit.site import book
from researchkit.tables import Col, Table

NORMAL = 1.959963984540054
DOI = "https://doi.org/"
SCALES = (
    "As printed: scales differ, so read designs and directions before numbers. “On one scale” is by how many standard "
    "deviations the outcome is better with much of the exposure than with little, with its 95 % interval, where a "
    "source tells enough; answers made here stand in their own unit."
)


def place(claim: str) -> str:
    """Where the page of a claim lies, seen from the reports folder; "" for what is no claim of ours."""
    return f"claims/{claim}.html" if claim in known() else ""


@cache
def known() -> dict[str, Claim]:
    return {claim.id: claim for claim in claims()}


def views(lines: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Everything that each claim's page prints; `lines` are those of the ledger."""
    by_claim: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_claim.setdefault(line["claim"], []).append(dict(line))
    every = claims()
    names = [claim.id for claim in every]
    made = {}
    for number, claim in enumerate(every):
        own = by_claim.get(claim.id, [])
        near = [names[number - 1] if number else "", names[number + 1] if number + 1 < len(names) else ""]
        made[claim.id] = {"near": near, **view(claim, own)}
    return made


def view(claim: Claim, lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    told = book.told_of(claim, list(lines))
    return {
        "claim": claim,
        "told": told,
        "group": book.GROUPS[claim.group],
        "articles": [(one.title, byline(one)) for one in articles() if one.key in claim.articles],
        "exactly": exactly(claim),
        "lines": lines,
        "summary": summary(lines),
        "table": table(claim, lines),
        "rivals": [faced(number, rival.what, lines) for number, rival in enumerate(claim.rivals, 1)],
        "ground": ground(),
        "doi": DOI,
        "sources": sources(claim.id),
    }


def byline(article: Article) -> str:
    """Author and publisher, as far as the public text names them."""
    named = [one for one in (article.author, article.publisher) if not one.startswith("not named")]
    return "; ".join(named) or "neither author nor publisher is named in the public text"


def exactly(claim: Claim) -> list[tuple[str, str]]:
    """What is claimed, part by part."""
    named = {
        "Exposure": claim.exposure,
        "Outcome": claim.outcome,
        "Expected": claim.direction,
        "Between, or on what it hangs": claim.mediator_moderator,
        "Of whom": claim.population,
        "Strongest other explanation": claim.rival,
    }
    return [(name, words) for name, words in named.items() if words]


def summary(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """How many questions have which word, real and simulated data apart; groups are not counted again."""
    told = []
    for origin in ("real data", "simulated", ""):
        words = Counter(line["word"] for line in lines if line["word"] and (line["origin"] or "") == origin)
        if words:
            where = {"real data": "In real data", "simulated": "In simulated data", "": "Without an answer"}[origin]
            told.append(f"{where}: {', '.join(f'{wording.count(n)} {word}' for word, n in words.most_common())}.")
    return told


def faced(number: int, what: str, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One other explanation, and what each answer has to say to it."""
    found = [
        {"title": line["title"], "link": line["link"], "study": line["study"], "word": word, "by": by}
        for line in lines
        for place, word, by in line["faces"]
        if place == number
    ]
    return {"number": number, "what": what, "found": found}


def table(claim: Claim, lines: Sequence[Mapping[str, Any]]) -> str:
    """Answers made here beside the published results, as HTML; "" where there are neither."""
    own = [here(line["row"]) for line in lines if line["row"]]
    rows = [*own, *others(claim.id)]
    if not rows:
        return ""
    heads = [("Study", "left"), ("Design", "left"), ("What was compared", "left")]
    heads += [("As told there", "left"), ("On one scale", "right")]
    return Table("Ours beside the published", tuple(Col(*head) for head in heads), tuple(rows), SCALES).to_html()


def here(row: Mapping[str, Any]) -> tuple[str, ...]:
    """An answer of this folder as a line of that table."""
    size = f" (n = {row['n']})" if row["n"] else ""
    value = f"{row['estimate']} {row['unit']}" + (f" ({row['limits']})" if row["limits"] else "")
    kind = f", {row['origin']}" if row["origin"] else ""
    return (f"Here: {row['study']}{size}{kind}", row["design"], f"{row['contrast']}; {row['title']}", value, "–")


@cache
def published() -> dict[str, list[pd.Series]]:
    """The published results by claim."""
    found: dict[str, list[pd.Series]] = {name: [] for name in known()}
    for _, row in evidence.published().iterrows():
        for name in row["claim_ids"]:
            found[name].append(row)
    return found


@cache
def others(claim: str) -> tuple[tuple[str, ...], ...]:
    """The published results on a claim, each a line of that table."""
    told = []
    for row in published()[claim]:
        size = "" if pd.isna(row["n"]) else f" (n = {wording.count(int(row['n']))})"
        known = not pd.isna(row["effect"])
        printed = f"{wording.number(row['effect'])} {row['effect_measure']}" if known else "–"
        if known and not (pd.isna(row["ci_low"]) or pd.isna(row["ci_high"])):
            printed += f" ({wording.number(row['ci_low'])} to {wording.number(row['ci_high'])})"
        what = f"{row['exposure']}; {row['outcome']}"
        told.append((f"{row['citation_short']}{size}", row["design"], what, printed, scaled(scale.of_published(row))))
    return tuple(told)


def scaled(one: scale.Standardised | None) -> str:
    if one is None or one.estimate != one.estimate:
        return "–"
    if one.se != one.se:
        return wording.number(one.estimate, sign=True)
    ends = (one.estimate - NORMAL * one.se, one.estimate + NORMAL * one.se)
    mean, limits = wording.estimate(one.estimate, *ends, sign=True)
    return f"{mean} ({limits})"


@cache
def sources(claim: str) -> tuple[tuple[str, str], ...]:
    """Each published result with its DOI, where one is known."""
    pairs = [(str(row["citation_short"]), re.match(r"10\.\d+/[^\s;&]+", str(row["doi"]))) for row in published()[claim]]
    return tuple(dict.fromkeys((who, doi.group()) for who, doi in pairs if doi))  # after it stands what it is of
