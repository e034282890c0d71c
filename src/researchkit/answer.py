"""The whole chain for one question, read top to bottom: load, estimate, attack, judge.

The `Answer` is what the page, the notebook and `result.json` are made from.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from researchkit import card, held
from researchkit.dataset import Dataset, Sample
from researchkit.disclosure import PROFILES, ROUNDED, name_of, rounded, taken
from researchkit.errors import DisclosureError, EstimationError, ParameterError
from researchkit.estimators import Effect, estimate_sample
from researchkit.estimators.counted import as_shown, refuse_few
from researchkit.flow import told
from researchkit.linked import Company, company, company_of
from researchkit.parts import Question
from researchkit.protocol import standing
from researchkit.readers.relation import stays
from researchkit.readers.values import canonical
from researchkit.rivals import faced
from researchkit.robustness import Check, attack, in_result
from researchkit.robustness.alternatives import with_unit
from researchkit.robustness.several import several
from researchkit.simulate.planted import planted
from researchkit.study import Study, load_study
from researchkit.verdict import Verdict, judge
from researchkit.warehouse import load
from researchkit.withheld import no_counts, no_entries

MEDIA = "application/vnd.researchkit.result+json"
HIDDEN = "application/vnd.researchkit.hidden+json"  # for the owner's log; `report` takes it out of the notebook
ASKED = "RESEARCHKIT_LOG_HIDDEN"  # set where somebody is there to do so
SCHEMA = 1
NAMED_PACKAGES = ("numpy", "pandas", "scipy")


@dataclass(frozen=True, repr=False)
class Answer:
    """One question answered: the effect, what attacked it, and the verdict.

    >>> import researchkit as rk
    >>> answer = rk.answer_question("data/hospital", "length_of_stay")
    >>> answer.verdict.word, answer.effect.unit, [check["check"] for check in answer.robustness][0]
    ('too small to matter', 'night', 'specification curve')
    """

    study: Study
    question: Question
    by: str | None
    dataset: Dataset
    sample: Sample
    effect: Effect
    crude: Effect
    checks: tuple[Check, ...]
    verdict: Verdict
    started: str
    seconds: float

    @property
    def family(self) -> str:
        return self.study.family_of(self.question)

    @property
    def robustness(self) -> list[dict[str, Any]]:
        """What attacked the answer, as it stands in `result.json`: facts, mark, the word, and whose method it is."""
        return in_result(self.checks, self.effect, lots=self.study.design_of(self.question) == "randomised")

    @property
    def data(self) -> dict[str, Any]:
        """Who is in the data: arrived, dropped at which step, used; small counts as the profile allows."""
        profile = PROFILES[self.study.disclosure]
        arrived, kept, used = told(self.sample.rows, self.sample.flow, self.effect.n, profile, quiet=self.sample.quiet)
        return {
            "fingerprint": self.dataset.fingerprint,
            "rows": arrived,
            "used": used,
            "dropped": [{"why": why, "rows": rows} for why, rows in kept.items()],
            "disclosure": self.study.disclosure.partition(ROUNDED)[0],
            "profile": profile.label,
            "rounded_to": profile.round_to,
        }

    @property
    def provenance(self) -> dict[str, Any]:
        """What made this answer, so that it can be made again."""
        return {
            **versions(),
            "study_sha256": self.study.sha256,
            "parameters": {"study": str(self.study.folder), "question": self.question.id, "by": self.by or ""},
            "started": self.started,
            "seconds": self.seconds,
        }

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON holds it: full precision, null where a number is not finite or protected."""
        study, question = self.study, self.question
        plan = standing(study, question)
        others = faced(study, question, self.effect, self.checks)
        return {
            "schema": SCHEMA,
            "study": study.name,
            "study_title": study.title,
            "study_description": study.description,
            "question": question.id,
            "title": question.title,
            "claim": question.claim,
            "family": self.family,
            "design": study.design_of(question),
            "simulated": study.simulated,
            "source": study.source and study.source.model_dump(include={"page", "licence", "citation"}),
            "planned": plan.word == "planned",
            "plan": plan.to_dict(),
            "by": self.by,
            "smallest_effect": question.smallest_effect,
            "good": question.outcome.good,
            "expect": question.expect,
            "effect": self.effect.to_dict(),
            "crude": self.crude.to_dict(),
            "model": self.effect.model.to_dict(),
            "robustness": self.robustness,
            "verdict": self.verdict.to_dict(),
            "rivals": [one.to_dict() for one in others],
            "planted": None if self.by else planted(study, question.id),
            "data": self.data,
            "provenance": self.provenance,
        }

    def to_json(self) -> str:
        return json.dumps(finite(self.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)

    def __repr__(self) -> str:
        return f"{self.question.title}\n{self.verdict}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        shown = card.Card(
            self.question.title,
            str(self.verdict),
            (("Effect", self.effect.words), *self.effect.facts),
            self.verdict.marks,
            side=self.verdict.word,
            picture=self.effect.drawn(self.question.smallest_effect),
        )
        hidden = [one.to_dict() for one in taken()] if os.environ.get(ASKED) else []
        return {
            **({HIDDEN: hidden} if hidden else {}),
            MEDIA: finite(self.to_dict()),
            **shown.bundle(),
        }


def answer_question(
    study: Study | str | Path, question: Question | str, *, by: str | None = None, disclosure: str | None = None
) -> Answer:
    """Answer one question of a study.

    Parameters
    ----------
    study, question
        Themselves, or the study's file or folder and the question's id.
    by
        "column=value" answers for those rows alone, as in "site=North"; None or "" for all.
    disclosure
        A profile in place of the study's own.

    Raises
    ------
    ResearchkitError
        If the study, its data or the question cannot be used; says what to do.

    Examples
    --------
    >>> import researchkit as rk
    >>> print(rk.answer_question("data/hospital", "length_of_stay").verdict.word)
    too small to matter
    """
    begun, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    study = with_profile(study if isinstance(study, Study) else load_study(study), disclosure)
    asked = question if isinstance(question, Question) else study.question(question)
    with no_entries(study):
        study, dataset = among_others(study, asked, by)
    with no_entries(study), no_counts(study):
        sample = dataset.sample(asked)
        asked = settled(asked, study, sample)
        refuse_few(sample.people, study)
        effect = estimate_sample(sample, asked)
        crude = simple(sample, asked, effect)
    effect, together = several(asked, effect, dataset, lambda table: rows_of(study, table, by))
    checks = (*attack(dataset, asked, effect, sample), together)
    effect, crude = (as_shown(one, asked, study, sample) for one in (effect, crude))
    verdict = judge(effect, asked, study, crude=crude, checks=checks, fingerprint=dataset.fingerprint)
    seconds = time.perf_counter() - begun
    return Answer(study, asked, by or None, dataset, sample, effect, crude, checks, verdict, started, seconds)


def simple(sample: Sample, asked: Question, effect: Effect) -> Effect:
    """The same without adjustment, and without a design where a plain contrast asks for the same.

    It is of the same rows: else a difference between the two might be one of people.
    """
    bare = sample.unadjusted(asked.exposure.column)
    if asked.special and asked.special.replaces:
        try:
            return estimate_sample(bare, asked.plain)
        except EstimationError:  # the design has an answer to give all the same
            return effect
    return estimate_sample(bare, asked) if asked.adjust else effect


def among_others(study: Study, asked: Question, by: str | None) -> tuple[Study, Dataset]:
    """The rows of an answer, with the study under the rule that the other pages of the same data leave it.

    Raises
    ------
    DisclosureError
        If its people, or those of another group, are too few for this page to be shown.
    """
    column, value = column_and_value(by) if by else (None, "")
    if not PROFILES[study.disclosure].protects:
        return study, rows_of(study, study.table_of(asked), by)
    if stays(study, study.table_of(asked)):
        raise DisclosureError(
            "What pages would give away together about a few people is worked out from every row, and these rows stay "
            f"in place; so under the profile {name_of(study.disclosure)!r} nothing is shown. Who may see the data "
            "can ask with `--disclosure none`; a smaller file (`in_place: false`) is protected as ever."
        )
    beside = beside_others(study, asked, column)
    if canonical(value) in beside.held:
        refuse_few(0, study)
    if beside.rounded:
        study = study.model_copy(update={"disclosure": rounded(study.disclosure, beside.rounded)})
    return study, replace(rows_of(study, study.table_of(asked), by), study=study, quiet=beside.quiet)


def beside_others(study: Study, asked: Question, column: str | None) -> Company:
    """What the other pages leave a page to show: as the run holds it, or worked out from all rows of the table."""
    table = study.table_of(asked)
    found = held.kept(study, table, company_of(study.disclosure, asked.id, column))
    return Company(**found) if found else company(rows_of(study, table, None), asked, column)


def rows_of(study: Study, table: str, by: str | None) -> Dataset:
    """One table of the study; with `by`, the rows of one site or team alone."""
    if found := held.rows(study, table, by):
        return found
    dataset = load(study, table)
    return dataset.only(*column_and_value(by)) if by else dataset


def settled(question: Question, study: Study, sample: Sample) -> Question:
    """The question with what it leaves to the rest: the unit to the codebook, one of two levels to the data."""
    question = with_unit(study, question)
    if not sample.arms:
        return question
    arms = dict(zip(("reference", "level"), sample.arms, strict=True))
    return question.model_copy(update={"exposure": question.exposure.model_copy(update=arms)})


@cache
def versions() -> Mapping[str, Any]:
    """Of ourselves, of Python and of the packages that bear on numbers: looked up once a process."""
    ours, python = version("researchkit"), platform.python_version()
    return {"researchkit": ours, "python": python, "packages": {name: version(name) for name in NAMED_PACKAGES}}


def finite(value: Any) -> Any:
    """The value with null for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def with_profile(study: Study, disclosure: str | None) -> Study:
    """The study under another disclosure profile."""
    if not disclosure or disclosure == study.disclosure:
        return study
    return study.model_copy(update={"disclosure": name_of(disclosure)})


def column_and_value(by: str) -> tuple[str, str]:
    """The two halves of "site=North"."""
    column, _, value = by.partition("=")
    if not (column and value):
        raise ParameterError(f"`by` is {by!r}; write column=value, as in site=North.")
    return column, value
