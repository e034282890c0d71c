"""No name, address, telephone number or word of anybody leaves the data: not on a page, in a file, a log or an error."""

from __future__ import annotations

import re
import stat
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import answers
import pytest
from click.testing import CliRunner
from planted.clinic import STUDY, stays

from researchkit import report
from researchkit.cli import main
from researchkit.draft import write_draft

LEFT = ["Zorblax", "Quimbolt", "Vexnari", "Throldin", "Mirquassa"]
RIGHT = ["Ulverstoke", "Hennipraw", "Dastemple", "Oxquarry", "Pellivant"]


def people(n: int) -> list[dict[str, str]]:
    """Names, addresses, telephone numbers and words that occur nowhere else."""
    found = []
    for number in range(n):
        name = f"{LEFT[number % 5]} {RIGHT[number // 5 % 5]} {number:04d}"
        mail = f"{name.lower().replace(' ', '.')}@secret-{number:04d}.example"
        said = f"my neighbour {LEFT[(number + 1) % 5]} saw {RIGHT[(number + 2) % 5]} weep in bed {number:04d}"
        found.append({"patient": name, "mail": mail, "phone": f"+44 7700 9{number:05d}", "said": said})
    return found


NEEDLES = re.compile("|".join([*LEFT, *RIGHT, r"secret-\d", r"7700 9\d", "neighbour", "weep"]), re.IGNORECASE)


@pytest.fixture
def ward_file(tmp_path, monkeypatch):
    """A study whose rows hold them, and a temporary folder of its own."""
    folder, temporary = tmp_path / "clinic", tmp_path / "t"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    frame = stays(n=240)
    for name, entries in zip(
        ("patient", "mail", "phone", "said"), zip(*(one.values() for one in people(240)), strict=True), strict=True
    ):
        frame[name] = entries
    frame.to_csv(folder / "stays.csv", index=False)
    study = STUDY.replace(
        "columns:\n", "columns:\n  mail: {label: Address, type: text}\n  said: {label: What was said, type: text}\n", 1
    )
    (folder / "study.yml").write_text(study, encoding="utf-8")
    return folder


def found_in(folder: Path) -> dict[str, str]:
    """Every file below a folder that holds anything of anybody, with the first of it; names of files count too."""
    hits = {}
    for path in folder.rglob("*"):
        text = path.read_bytes().decode("utf-8", errors="replace") if path.is_file() else ""
        if hit := NEEDLES.search(f"{path.relative_to(folder)}\n{text}"):
            hits[str(path.relative_to(folder))] = hit.group()
    return hits


def ask(*words: object) -> str:
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.output


def test_the_scanner_finds_what_it_looks_for(ward_file):
    assert found_in(ward_file) == {"stays.csv": "Zorblax"}


@pytest.mark.parametrize("profile", [pytest.param("none", marks=pytest.mark.attack), "five"])
def test_nothing_of_anybody_is_written_by_a_run(ward_file, tmp_path, here, profile):
    out = tmp_path / "reports"
    said = ask("run", ward_file, "--by", "site", "--disclosure", profile, "--out", out, "--jobs", "1")
    said += (
        ask("check", ward_file)
        + ask("effect", ward_file, "trust", "--json")
        + ask("score", ward_file, "--out", tmp_path / "scores.csv")
    )
    said += ask("plan", ward_file)
    assert not NEEDLES.search(said), said
    assert len(list(out.rglob("report.html"))) >= 3
    assert found_in(out) == {}
    assert not NEEDLES.search((tmp_path / "scores.csv").read_text(encoding="utf-8"))
    assert [path for path in (tmp_path / "t").rglob("*") if path.is_file()] == [], (
        "rows are left in the temporary folder"
    )


def test_a_draft_says_nothing_of_anybody(ward_file, tmp_path):
    write_draft(ward_file / "stays.csv", tmp_path / "draft")
    assert found_in(tmp_path / "draft") == {}


BROKEN = {
    "a code that nobody knows": ("sex", "x", r"1 value is neither 'f' nor 'm', in row 12"),
    "an answer out of range": ("e1", "17", r"1 answer outside 0-6, in row 12 \(the first is 17\)"),
    "a word among numbers": ("trust", "high", r"1 entry is no number .*in row 12"),
    "a day that there is not": ("admitted", "2025-02-31", r"1 entry is no date, in row 12"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_error_names_the_row_and_the_entry_and_nothing_else_of_it(ward_file, tmp_path, here, name):
    column, entry, words = BROKEN[name]
    lines = (ward_file / "stays.csv").read_text(encoding="utf-8").splitlines()
    place = lines[0].split(",").index(column)
    cells = lines[11].split(",")
    others = [cell for at, cell in enumerate(cells) if at != place and len(cell) > 4]
    cells[place] = entry
    lines[11] = ",".join(cells)
    (ward_file / "stays.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = ask("check", ward_file)
    assert re.search(words, " ".join(said.split())), said
    said += ask("run", ward_file, "--out", tmp_path / "reports", "--jobs", "1")
    assert not NEEDLES.search(said) and found_in(tmp_path / "reports") == {}
    assert not [cell for cell in others if cell in said]


def test_who_is_asked_for_in_vain_is_not_answered_with_everybody_else(ward_file, tmp_path, here):
    for column in ("patient", "said"):
        said = ask("effect", ward_file, "trust", "--by", f"{column}=Nobody")
        assert f"{column} is never 'Nobody'" in said and not NEEDLES.search(said)


def test_what_somebody_wrote_into_a_box_of_codes_is_on_no_page(ward_file, tmp_path, here):
    """The command tells it to those who hold the data; a page is shared."""
    text = (ward_file / "stays.csv").read_text(encoding="utf-8")
    (ward_file / "stays.csv").write_text(text.replace(",f,", ",call Zorblax on +44 7700 900001,", 1), encoding="utf-8")
    assert "Zorblax" in ask("check", ward_file), "the offending entry, to those who hold the data"
    ask("run", ward_file, "--disclosure", "five", "--out", tmp_path / "reports", "--jobs", "1")
    assert {name for name in found_in(tmp_path / "reports") if not name.startswith(".internal")} == set()


def test_rows_of_a_run_lie_where_nobody_else_may_look(ward_file, tmp_path, here, monkeypatch):
    seen = []

    def execute(*args):
        seen.extend(path for path in (tmp_path / "t").glob("rk-*"))
        assert all(not stat.S_IMODE(path.stat().st_mode) & 0o077 for path in seen)
        return answers.execute(*args)

    monkeypatch.setattr(report, "execute", execute)
    ask("run", ward_file, "--by", "site", "--disclosure", "five", "--out", tmp_path / "reports", "--jobs", "1")
    assert seen, "the rows of a run are held somewhere"
    inside = tmp_path / "reports" / ".internal"
    assert inside.is_dir() and list(inside.rglob("*.json"))
    for path in [inside, *inside.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.to += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]


def test_no_page_leads_to_a_notebook_or_to_what_is_the_owner_s(ward_file, tmp_path, here):
    out = tmp_path / "reports"
    ask("run", ward_file, "--disclosure", "five", "--out", out, "--jobs", "1")
    for page in out.rglob("*.html"):
        links = Links()
        links.feed(page.read_text(encoding="utf-8"))
        assert not [link for link in links.to if ".ipynb" in link or ".internal" in link], page
