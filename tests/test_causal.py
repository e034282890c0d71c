"""No page says that anything was caused, unless lots were drawn: every page of both worlds is read, word by word.

What is quoted is not a finding and is left out first: the question's title, the claim under test with its rival
explanation and articles, published results, and the labels of the study file.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from answers import WORLDS, execute, undrawn

import researchkit
from researchkit import report
from researchkit.claims import articles, claim, claims
from researchkit.cli import main
from researchkit.evidence import published
from researchkit.study import load_study

CAUSAL = re.compile(
    r"\b(?:caused|causing|causes? (?:a|an|the|less|more|lower|higher|fewer|them|people)|lower(?:ed|s)|rais(?:ed|es)|reduc(?:ed|es|ing)|increas(?:ed|es|ing)|improv(?:ed|es|ing)|"
    r"led to|leads to|result(?:ed|s) in|prevent(?:ed|s)|protect(?:ed|s)|driv(?:en|es) by|due to|thanks to|because of|"
    r"prov(?:ed|en|es)|makes? (?:people|patients|customers|staff))\b",
    re.IGNORECASE,
)
ALLOWED = ("leads to its report", "went with, not caused", "*went with*, not *caused*")


SILENT = frozenset({"script", "style", "pre", "code", "svg"})


class Words(HTMLParser):
    """What a reader sees: the text of a page without code, scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.depth, self.parts = 0, []

    def handle_starttag(self, tag, attrs):
        self.depth += tag in SILENT
        self.parts += [value for name, value in attrs if name == "alt" and value]

    def handle_endtag(self, tag):
        self.depth -= tag in SILENT
        self.parts.append(". " if tag in {"p", "li", "td", "th", "h1", "h2", "h3", "div", "figcaption"} else "")

    def handle_data(self, data):
        if not self.depth:
            self.parts.append(data)


def visible(page: str) -> str:
    parser = Words()
    parser.feed(page)
    return " ".join("".join(parser.parts).split())


def found(text: str, quoted: list[str]) -> list[str]:
    """Causal words of a text with some of the text around them, after what is quoted is taken out."""
    for one in ALLOWED:
        text = text.replace(one, "…")
    for one in sorted({" ".join(one.split()) for one in quoted if " " in one}, key=len, reverse=True):
        text = text.replace(one, "…").replace(one[0].lower() + one[1:], "…")
    return [text[max(hit.start() - 60, 0) : hit.end() + 30] for hit in CAUSAL.finditer(text)]


def quotations(study, question) -> list[str]:
    tested = claim(question.claim)
    others = published(question.claim)
    cells = [str(cell) for cell in others.to_numpy().ravel()] if len(others) else []
    labels = [label for part in (*study.columns.values(), *study.scales.values()) if (label := part.label)]
    codes = [label for column in study.columns.values() for label in column.codes.values()]
    own = [question.title, tested.statement, tested.rival, tested.exposure, tested.outcome, tested.design]
    own += [rival.what for rival in tested.rivals]
    return [*own, *(article.title for article in articles()), *cells, *labels, *codes, study.title]


@pytest.fixture(scope="module")
def reports(root, answered, tmp_path_factory) -> Path:
    """Both worlds, every question, as `researchkit run` makes them; only that no kernel runs the notebooks' cells."""
    out = tmp_path_factory.mktemp("reports")
    worlds = [str(root / "data" / world) for world in WORLDS]
    with pytest.MonkeyPatch.context() as patched, pytest.raises(SystemExit) as end:
        patched.setenv("RESEARCHKIT_FORK", "0")
        patched.setattr(report, "execute", execute)
        undrawn(patched)
        patched.setattr(
            researchkit, "answer_question", lambda study, question, **_: answered(Path(study).parent.name, question)
        )
        main(["run", *worlds, "--out", str(out), "--jobs", "1"])
    assert end.value.code in (0, None)
    return out


def test_every_page_keeps_to_what_its_design_allows(reports, root):
    lots, read = [], 0
    for path in sorted(reports.glob("*/*/result.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        study = load_study(root / "data" / told["study"])
        page = visible((path.parent / "report.html").read_text(encoding="utf-8"))
        assert told["verdict"]["sentence"] in page
        words = found(page, quotations(study, study.question(told["question"])))
        read += 1
        if told["design"] == "randomised":
            lots += words
        else:
            assert not words, f"{told['study']}/{told['question']}: {words}"
    assert read == 21
    assert any("lowered" in words for words in lots), "a randomised study may say so, and this reader must see it"


def test_indexes_and_ledger_too(reports, root):
    studies = [load_study(root / "data" / world) for world in WORLDS]
    quoted = [one for study in studies for question in study.questions for one in quotations(study, question)]
    sentences = [
        json.loads(path.read_text(encoding="utf-8"))["verdict"]["sentence"]
        for path in reports.glob("*/*/result.json")
        if json.loads(path.read_text(encoding="utf-8"))["design"] == "randomised"
    ]
    for page in (reports / "index.html", *reports.glob("*/index.html")):
        assert not found(visible(page.read_text(encoding="utf-8")), [*quoted, *sentences]), page
    for page in (reports / "ledger.html", reports / "planted.html"):
        assert not found(visible(page.read_text(encoding="utf-8")), [*quoted, *sentences, *claimed(root)]), page


def claimed(root) -> list[str]:
    """What the ledger quotes of the claims, of what others published, and of what was planted."""
    parts = [
        text
        for one in claims()
        for text in (
            one.statement,
            one.direction,
            one.tension,
            *(rival.what for rival in one.rivals),
            *vars(one.needs).values(),
        )
    ]
    planted = [
        " ".join(told["how"].split())
        for world in WORLDS
        for told in yaml.safe_load((root / "data" / world / "truth.yml").read_text(encoding="utf-8")).values()
    ]
    return [*parts, *planted, *(str(cell) for cell in published().to_numpy().ravel())]


@pytest.mark.parametrize(
    "planted", ["Compassion lowered burnout.", "It is due to kindness", "kindness leads to trust", "Calls improved"]
)
def test_a_planted_sentence_is_seen(planted):
    assert found(visible(f"<p>Fine.</p><p>{planted}</p>"), ["Fine."])


def test_notebooks_say_nothing_causal_of_their_own(root):
    """Prose of the notebooks fits any study, so it may say nothing of what made what."""
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = " ".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        assert not found(prose, []), path.name
