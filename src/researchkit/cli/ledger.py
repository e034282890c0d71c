"""`researchkit claims`: what is claimed, what a study asks of it, and which other explanations its plan will face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from researchkit.errors import StudyError

if TYPE_CHECKING:
    from researchkit.claims import Claim
    from researchkit.parts import Question
    from researchkit.study import Study


@click.command()
@click.argument("study", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def claims(study: Path | None, out: Path) -> None:
    """The 48 claims under test, their articles, and which are answered by which study here.

    With a STUDY only its own: what it asks, what its reports in --out say, and which other explanations it faces.

    Example: researchkit claims data/contact_centre
    """
    from researchkit import claims as shelf
    from researchkit.study import load_study

    found = [load_study(study)] if study else list(readable(sorted(Path("data").glob("*/study.yml"))))
    for claim in shelf.claims():
        asked = [(one, question) for one in found for question in one.questions if question.claim == claim.id]
        if study and not asked:
            continue
        click.echo(f"{claim.id}  {claim.statement}\n  said in: {shelf.said_in(claim)}")
        for line in of_one(claim, asked, out) if study else of_all(claim, asked):
            click.echo(f"  {line}")


def readable(paths: list[Path]) -> Iterator[Study]:
    """The studies that can be read: whoever looks up a claim may be in the middle of writing one."""
    from researchkit.study import load_study

    for path in paths:
        try:
            yield load_study(path)
        except StudyError as error:
            click.echo(f"Left out: {str(error).splitlines()[0]}", err=True)


def of_all(claim: Claim, asked: list[tuple[Study, Question]]) -> Iterator[str]:
    """Who answers a claim, or what it would take."""
    names = ", ".join(f"{study.name}/{question.id}" for study, question in asked)
    yield f"answered: {names or 'by no study here'}"
    if not asked:
        yield f"would need: {claim.needs.exposure}; {claim.needs.outcome}; {claim.needs.least}"


def of_one(claim: Claim, asked: list[tuple[Study, Question]], out: Path) -> Iterator[str]:
    """What one study asks of a claim, what came of it, and what its plan faces of the other explanations."""
    from researchkit.evidence import published
    from researchkit.rivals import faced

    for study, question in asked:
        yield f"asked: {study.name}/{question.id}: {question.title}"
        yield f"  {verdict_of(out / study.name / question.id / 'result.json')}"
        for one in faced(study, question):
            yield f"  faced: {one.what} ({one.by})" if one.word == "faced" else f"  open: {one.what}; it takes {one.by}"
    known = len(published(claim.id))
    told = f"{known or 'no'} result{'' if known == 1 else 's'} in the evidence table"
    yield f"published: {told}. {claim.tension}".rstrip()


def verdict_of(path: Path) -> str:
    """The word and the sentence of a report that has been made."""
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["verdict"]
        return f"{told['word']}: {told['sentence']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "no report yet: `researchkit run` makes it"
