"""What an answer keeps back where small counts are protected: when it stops, too, for that page is shared as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from researchkit.disclosure import PROFILES, Profile, enough, shown
from researchkit.errors import DataError, DisclosureError, EstimationError
from researchkit.estimators import Effect
from researchkit.parts import Question
from researchkit.robustness.check import why_not
from researchkit.sample import Sample
from researchkit.study import Study

ENTRIES = re.compile(r"\brows? \d|the first is|\('|: '")  # where an error names rows or entries

A_COUNT = re.compile(r"[\d,.]+ (?:% of the (?:started )?rows|of [\d,]+ rows|rows|by)\b")  # how such a note begins
CLUSTERS = re.compile(r"(?<=^few clusters: )\d+(?= on one side| \()")


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


@contextmanager
def no_counts(study: Study) -> Iterator[None]:
    """An error that counts few people says only that it does: the page of a report that stopped is shared, too."""
    try:
        yield
    except EstimationError as error:
        told = why_not(error, study)
        if told in " ".join(str(error).split()):
            raise
        raise EstimationError(
            f"T{told[1:]}. `researchkit effect` with `--disclosure none` says it to those who may see the data."
        ) from None


@contextmanager
def no_entries(study: Study) -> Iterator[None]:
    """An error that names rows or entries of a table says only that it would: it comes to stand on a shared page."""
    try:
        yield
    except DataError as error:
        profile = PROFILES[study.disclosure]
        if not (profile.protects and ENTRIES.search(str(error))):
            raise
        raise DataError(
            f"{study.name}: the data disagree with the study file. `researchkit check` tells those who hold the data "
            f"which rows and entries do; under the profile {profile.label!r} no page shows them."
        ) from None


def as_shown(effect: Effect, question: Question, study: Study, sample: Sample) -> Effect:
    """The effect with every count of rows and people as the profile lets it be told, and what would tell one."""
    profile = PROFILES[study.disclosure]
    if not profile.protects:
        return effect
    n, clusters, df = shown(effect.n, profile) or effect.n, effect.clusters, effect.df
    people = study.tables[study.table_of(question)].people
    persons = people in (sample.cluster_name, sample.crossed_name)  # then clusters count people
    if persons and clusters is not None:
        clusters = shown(clusters, profile) or clusters
    if df is not None and profile.round_to > 1:
        df = float(shown(int(df), profile) or df)
    notes = tuple(remarks(effect, n, persons, profile))
    return replace(effect, n=n, clusters=clusters, df=df, notes=notes)


def remarks(effect: Effect, n: int, persons: bool, profile: Profile) -> Iterator[str]:
    """The notes of an effect without those that are counts of rows; `persons` says whether clusters are people."""

    def count(found: re.Match[str]) -> str:
        told = shown(int(found[0]), profile)
        return f"fewer than {profile.threshold}" if told is None else str(told)

    for note in effect.notes:
        if not A_COUNT.match(note):
            yield (CLUSTERS.sub(count, note) if persons else note).replace(f"{effect.n} rows", f"{n} rows")
