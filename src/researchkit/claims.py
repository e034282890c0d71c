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


@cache
def _read() -> tuple[tuple[Article, ...], tuple[Claim, ...]]:
    import yaml

    text = resources.files(__package__).joinpath("claims.yml").read_text(encoding="utf-8")
    shelf: dict[str, Any] = yaml.safe_load(text)
    read = tuple(Article(key=key, **facts) for key, facts in shelf["articles"].items())
    return read, tuple(Claim(**{**facts, "articles": tuple(facts["articles"])}) for facts in shelf["claims"])
