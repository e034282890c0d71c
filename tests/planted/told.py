"""What the toolkit says of a study: by `check`, by marks and notes of the answer, or by the error that stops it."""

from __future__ import annotations

from pathlib import Path

from answers import ask
from click.testing import CliRunner

from researchkit.answer import answer_question
from researchkit.cli import main
from researchkit.errors import ResearchkitError


def check(folder: Path) -> str:
    """What `researchkit check` prints. Whatever else than a `ResearchkitError` happens is raised here."""
    found = CliRunner().invoke(main, ["check", str(folder)])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return flat(found.output)


def answer(folder: Path, question: str, *, whole: bool = False) -> tuple[str, str]:
    """Marks, reasons and notes of the answer; or the words that stop it. One of the two is empty."""
    try:
        found = answer_question(folder, question) if whole else ask(folder, question)
    except ResearchkitError as error:
        return "", flat(str(error))
    said = [*found.verdict.marks, *found.verdict.reasons, *found.effect.notes]
    return flat("\n".join(said)), ""


def flat(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.splitlines())
