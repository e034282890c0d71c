"""What an answer keeps back where small counts are protected: when it stops, too, for that page is shared as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from researchkit.disclosure import PROFILES, Profile, enough, shown
from researchkit.errors import DataError, DisclosureError, EstimationError
from researchkit.estimators import Effect
from researchkit.robustness.check import why_not
from researchkit.study import Study

ENTRIES = re.compile(r"\brows? \d|the first is|\('|: '")  # where an error names rows or entries


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


def as_shown(effect: Effect, profile: Profile) -> Effect:
    """The effect with its number of rows, and what would tell it, rounded as the profile rounds counts."""
    if profile.round_to == 1:
        return effect
    df = effect.df if effect.df is None else float(shown(int(effect.df), profile) or effect.df)
    return replace(effect, n=shown(effect.n, profile) or effect.n, df=df)
