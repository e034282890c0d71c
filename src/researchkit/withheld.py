"""What an answer that stops keeps back where small counts are protected: that page is shared as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from researchkit.disclosure import PROFILES
from researchkit.errors import DataError, EstimationError
from researchkit.robustness.check import why_not
from researchkit.study import Study

ENTRIES = re.compile(r"\brows? \d|the first is|\('|: '")  # where an error names rows or entries


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
