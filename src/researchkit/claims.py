"""The 48 claims under test and the popular articles that make them.

A question of a study names the claim that it tests (`claim: LOY-1`); the report then says in whose words the
claim came, and which rival explanation the study had to rule out. The claims themselves are in `claims.yml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

from researchkit.errors import StudyError


@dataclass(frozen=True)
class Article:
    """A popular article, with its title and publisher as far as the public text carries them."""

    key: str
    title: str
    author: str
    publisher: str


@dataclass(frozen=True)
class Rival:
    """One other explanation of what a claim says; `kind` decides what can rule it out (see `rivals`).

    `words` are those by which a column's name or label tells that it measures what the rival is about; `units` what
    stays as it is in this respect, so that each held against itself leaves the rival out.
    """

    what: str
    kind: str
    words: tuple[str, ...] = ()
    units: tuple[str, ...] = ()


@dataclass(frozen=True)
class Needs:
    """What data would be needed to put a claim to the test."""

    exposure: str
    outcome: str
    rows: str  # what one row is
    waves: str  # how often, and when
    apart: str  # the sources that must not be one
    least: str  # without which there is no answer


@dataclass(frozen=True)
class Claim:
    """One claim that data can speak to, paraphrased."""

    id: str
    group: str  # loyalty, recovery, burnout, mechanism, culture, practice or channel
    articles: tuple[str, ...]  # keys of `articles()`
    statement: str
    exposure: str
    outcome: str
    mediator_moderator: str
    population: str
    unit: str  # what one row of the natural data set is
    design: str  # the natural design of a test
    direction: str  # what the article expects: "more goes with more" of the outcome, or with less
    rival: str  # the strongest other explanation, to be ruled out
    rivals: tuple[Rival, ...]  # the same in parts, so that it can be said which of them an answer faces
    needs: Needs
    tension: str = ""  # where published results disagree with it, or among themselves
    counter: bool = False  # the article itself says here what limits the case for compassion


def claims() -> tuple[Claim, ...]:
    """All claims, in the order of their groups."""
    return _read()[1]


def claim(id: str) -> Claim:
    """The claim called `id`, such as "LOY-1".

    Raises
    ------
    StudyError
        If there is no such claim; names the nearest ones.
    """
    known = {one.id: one for one in claims()}
    if id in known:
        return known[id]
    near = get_close_matches(str(id).strip().upper().replace("_", "-").replace(" ", "-"), known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise StudyError(f"There is no claim {id!r}{hint} `researchkit claims` lists all {len(known)}.")


def articles() -> tuple[Article, ...]:
    """The articles that make the claims."""
    return _read()[0]


def said_in(claim: Claim) -> str:
    """The articles that make a claim, with author and publisher as far as they are named."""
    titles = {article.key: article for article in articles()}
    told = []
    for article in (titles[key] for key in claim.articles):
        named = [name for name in (article.author, article.publisher) if not name.startswith("not named")]
        told.append(f"{article.title} ({'; '.join(named)})" if named else article.title)
    return "; ".join(told)


def briefly(id: str) -> dict[str, str]:
    """What the claim says and who makes it, for the head of a page; nothing of one that we do not know."""
    return next(({"id": one.id, "says": one.statement, "said": said_in(one)} for one in claims() if one.id == id), {})


@cache
def _read() -> tuple[tuple[Article, ...], tuple[Claim, ...]]:
    import yaml

    from researchkit.markup import FAST

    text = resources.files(__package__).joinpath("claims.yml").read_text(encoding="utf-8")
    shelf: dict[str, Any] = yaml.load(text, Loader=FAST)  # noqa: S506 - safe, and eight times as fast
    read = tuple(Article(key=key, **facts) for key, facts in shelf["articles"].items())
    return read, tuple(_claim(facts) for facts in shelf["claims"])


def _claim(facts: dict[str, Any]) -> Claim:
    rivals = tuple(
        Rival(**{**one, **{name: tuple(one.get(name, ())) for name in ("words", "units")}}) for one in facts["rivals"]
    )
    parts = {"articles": tuple(facts["articles"]), "rivals": rivals, "needs": Needs(**facts["needs"])}
    return Claim(**{**facts, **parts})
