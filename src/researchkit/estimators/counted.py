"""An effect whose counts of rows and people are as a disclosure profile lets them be told.

Of an answer they are rounded where its pages round (`as_shown`). An effect that was asked for alone knows nothing of
pages beside it: what it prints of itself tells only about how many rows there are (`alone`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from researchkit.disclosure import PROFILES, Profile, enough, nearest, rounded, shown, usual_base
from researchkit.errors import DisclosureError
from researchkit.estimators.effect import Count, Effect

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question
    from researchkit.study import Study

CLUSTERS = re.compile(r"(?<=^few clusters: )\d+(?= on one side| \(|;)")


def refuse_few(people: int, study: Study) -> None:
    """Stop before a group of people so small that a result would single them out, or others by its help.

    The words are the same for both: which of two groups is the small one is not to be told.
    """
    profile = PROFILES[study.disclosure]
    if not enough(people, profile):
        raise DisclosureError(
            f"Too few people for the disclosure profile {profile.label!r}, which shows nothing about fewer than "
            f"{profile.threshold}, nor anything from which, with the other pages, so few could be worked out."
        )


def as_shown(effect: Effect, question: Question, study: Study, sample: Sample) -> Effect:
    """The effect of an answer, with what would tell a count as well."""
    profile = PROFILES[study.disclosure]
    if not profile.protects:
        return effect
    n, df = shown(effect.n, profile) or effect.n, effect.df
    if df is not None and profile.round_to > 1:
        df = float(shown(int(df), profile) or df)
    return replace(of_people(effect, n, persons(question, study, sample), profile), n=n, df=df)


def alone(effect: Effect, question: Question, study: Study, sample: Sample) -> Effect:
    """The effect as it prints itself where no answer was asked for; its numbers are what they are.

    Raises
    ------
    DisclosureError
        If its people are too few to be told anything about.
    """
    profile = PROFILES[study.disclosure]
    if not profile.protects:
        return effect
    refuse_few(sample.people, study)
    coarse = PROFILES[rounded(study.disclosure, usual_base(profile))]
    about = nearest(effect.n, coarse)
    return replace(of_people(effect, about, persons(question, study, sample), coarse), about=about)


def persons(question: Question, study: Study, sample: Sample) -> bool:
    """Whether clusters are people, so that a count of them is one of people."""
    return study.tables[study.table_of(question)].people in (sample.cluster_name, sample.crossed_name)


def of_people(effect: Effect, n: int, persons: bool, profile: Profile) -> Effect:
    """The effect with its clusters and notes as the profile has counts."""
    clusters = effect.clusters
    if persons and clusters is not None:
        clusters = shown(clusters, profile) or clusters
    return replace(effect, clusters=clusters, notes=tuple(remarks(effect, n, persons, profile)))


def remarks(effect: Effect, n: int, persons: bool, profile: Profile) -> Iterator[str]:
    """The notes of an effect without those that say that they are counts; `persons`: clusters are people."""

    def count(found: re.Match[str]) -> str:
        told = shown(int(found[0]), profile)
        return f"fewer than {profile.threshold}" if told is None else str(told)

    for note in effect.notes:
        if not isinstance(note, Count):
            yield (CLUSTERS.sub(count, note) if persons else note).replace(f"{effect.n} rows", f"{n} rows")
