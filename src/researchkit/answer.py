"""The whole chain for one question, read top to bottom: load, estimate, attack, judge.

The `Answer` is what the page, the notebook and `result.json` are made from.
"""

from __future__ import annotations

import json
import math
import platform
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from researchkit import held
from researchkit.dataset import Dataset, Sample, load_dataset
from researchkit.disclosure import PROFILES, account, enough
from researchkit.errors import DisclosureError, ParameterError
from researchkit.estimators import Effect, estimate_sample
from researchkit.parts import Question
from researchkit.protocol import standing
from researchkit.robustness import Check, attack
from researchkit.robustness.alternatives import with_unit
from researchkit.robustness.several import several
from researchkit.study import Study, load_study
from researchkit.verdict import Verdict, judge

MEDIA = "application/vnd.researchkit.result+json"
SCHEMA = 1
NAMED_PACKAGES = ("numpy", "pandas", "scipy", "statsmodels")


@dataclass(frozen=True, repr=False)
class Answer:
    """One question answered: the effect, what attacked it, and the verdict."""

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
        """What attacked the answer, as it stands in `result.json`."""
        return [check.to_dict() for check in self.checks]

    @property
    def data(self) -> dict[str, Any]:
        """Who is in the data: arrived, dropped at which step, used; small counts as the profile allows."""
        profile = PROFILES[self.study.disclosure]
        steps: Counter[str] = Counter()
        for step in self.sample.flow:  # two rules may give the same reason
            steps[step.why] += step.rows
        arrived, kept, used = account(self.sample.rows, steps, self.effect.n, profile)
        return {
            "fingerprint": self.dataset.fingerprint,
            "rows": arrived,
            "used": used,
            "dropped": [{"why": why, "rows": rows} for why, rows in kept.items()],
            "disclosure": profile.name,
        }

    @property
    def provenance(self) -> dict[str, Any]:
        """What made this answer, so that it can be made again."""
        return {
            "researchkit": version("researchkit"),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in NAMED_PACKAGES},
            "study_sha256": self.study.sha256,
            "parameters": {"study": str(self.study.folder), "question": self.question.id, "by": self.by or ""},
            "started": self.started,
            "seconds": self.seconds,
        }

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON holds it: full precision, null where a number is not finite or protected."""
        study, question = self.study, self.question
        plan = standing(study, question)
        return {
            "schema": SCHEMA,
            "study": study.name,
            "study_title": study.title,
            "question": question.id,
            "title": question.title,
            "claim": question.claim,
            "family": self.family,
            "design": study.design_of(question),
            "simulated": study.simulated,
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
            "data": self.data,
            "provenance": self.provenance,
        }

    def to_json(self) -> str:
        return json.dumps(finite(self.to_dict()), indent=1, ensure_ascii=False, allow_nan=False)

    def __repr__(self) -> str:
        return f"{self.question.title}\n{self.verdict}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        heading = f"<p>{escape(self.question.title)}</p>"
        return {
            MEDIA: finite(self.to_dict()),
            "text/html": f'<div class="rk-answer">{heading}{self.verdict._repr_html_()}</div>',
            "text/plain": repr(self),
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
    """
    begun, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    study = study if isinstance(study, Study) else load_study(study)
    study = with_profile(study, disclosure)
    asked = question if isinstance(question, Question) else study.question(question)
    dataset = rows_of(study, study.table_of(asked), by)
    sample = dataset.sample(asked)
    asked = settled(asked, study, sample)
    refuse_few(sample, study)
    effect = estimate_sample(sample, asked)
    # The crude effect is of the same rows: else a difference between the two might be one of people.
    crude = estimate_sample(sample.unadjusted(asked.exposure.column), asked) if asked.adjust else effect
    effect, together = several(asked, effect, dataset, lambda table: rows_of(study, table, by))
    checks = (*attack(dataset, asked, effect, sample), together)
    verdict = judge(effect, asked, study, crude=crude, checks=checks, fingerprint=dataset.fingerprint)
    seconds = time.perf_counter() - begun
    return Answer(study, asked, by or None, dataset, sample, effect, crude, checks, verdict, started, seconds)


def rows_of(study: Study, table: str, by: str | None) -> Dataset:
    """One table of the study; with `by`, the rows of one site or team alone."""
    if found := held.rows(study, table, by):
        return found
    dataset = load_dataset(study, table)
    return dataset.only(*column_and_value(by)) if by else dataset


def settled(question: Question, study: Study, sample: Sample) -> Question:
    """The question with what it leaves to the rest: the unit to the codebook, one of two levels to the data."""
    question = with_unit(study, question)
    if not sample.arms:
        return question
    arms = dict(zip(("reference", "level"), sample.arms, strict=True))
    return question.model_copy(update={"exposure": question.exposure.model_copy(update=arms)})


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
    if disclosure not in PROFILES:
        raise ParameterError(f"There is no disclosure profile {disclosure!r}; there are {', '.join(PROFILES)}.")
    return study.model_copy(update={"disclosure": disclosure})


def column_and_value(by: str) -> tuple[str, str]:
    """The two halves of "site=North"."""
    column, sign, value = by.partition("=")
    if not (column and sign and value):
        raise ParameterError(f"`by` is {by!r}; write column=value, as in site=North.")
    return column, value


def refuse_few(sample: Sample, study: Study) -> None:
    """Stop before a group of people so small that a result would single them out."""
    profile = PROFILES[study.disclosure]
    if not enough(sample.people, profile):
        raise DisclosureError(
            f"Too few people for the disclosure profile {profile.name!r}, which shows nothing about fewer than "
            f"{profile.threshold}."
        )
