"""The first hour: README's commands do what README says, and its five minutes lead from a stranger's table to a report."""

from __future__ import annotations

import random
import re
import shlex
from pathlib import Path

import pytest
import yaml
from answers import undrawn
from click.testing import CliRunner

from researchkit.cli import main
from researchkit.simulate import write_world

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SHOWN = [shlex.split(line, comments=True)[1:] for line in re.findall(r"(?m)^ {4}(researchkit .*)$", README)]
STEPS = [words for words in SHOWN if "october" in " ".join(words)]
INLINE = [
    shlex.split(words)[1:]
    for words in re.findall(r"`(researchkit [a-z]+ [^`]*)`", README)
    if not re.search("COMMAND|data get", words)
]
SIMPLE = """title: Mine
seed: 1
files: visits.csv
design: observational
columns: {site: {label: Site, codes: {North: North, South: South}}}
questions:
  - {id: trust, title: Is there more trust?, claim: MEC-1, family: recovery, exposure: kindness,
     outcome: {column: trust, kind: score, unit: point}, smallest_effect: 0.1}
"""


def strange(n: int = 300) -> str:
    """A table as strangers have it: spaces and brackets in names, words among numbers, a reversed item, days, gaps."""
    draw = random.Random(3)  # noqa: S311 - no secret
    wards = ["St. Anne", "North (2nd floor)", "Ward 7", "Eye clinic", "A&E"]
    head = "Patient ID,Ward Name,Date of visit,How kind were they? (1-5),Staff listened,I felt rushed (R),severity,Came back?,Age,remarks,"
    rows = []
    for row in range(n):
        kind, severe = draw.choice([1, 2, 3, 3, 4, 4, 5]), draw.randint(0, 10)
        listened, rushed = min(5, kind + draw.choice([0, 0, 1])), 6 - min(5, max(1, kind + draw.choice([-1, 0, 0])))
        back = "yes" if draw.random() < 0.35 + 0.1 * kind - 0.02 * severe else "no"
        day, remark = f"{row % 28 + 1:02d}/{row % 9 + 1:02d}/2026", '"fine, thanks"' if row % 3 else ""
        age = draw.randint(18, 90) if row % 40 else "unknown"
        answers = (kind if row % 37 else "", listened, rushed if row % 41 else "n/a")
        rows.append(
            ",".join(map(str, (f"P{row:04d}", draw.choice(wards), day, *answers, severe, back, age, remark, "")))
        )
    return "\n".join([head, *rows]) + "\n"


def called(words: list[str]) -> str:
    found = CliRunner().invoke(main, words)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code == 0, found.output
    return found.output


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with the studies that README names, made small."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    for world, rows, kept in (
        ("contact_centre", 1500, "retention"),
        ("hospital", 400, "workload"),
        ("hospital_wedge", 600, "support"),
    ):
        write_world(world, data / world, rows=rows)
        file = data / world / "study.yml"
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
        told["questions"] = [{**one, "alternatives": []} for one in told["questions"] if one["id"] == kept]
        file.write_text(yaml.safe_dump(told | {"disclosure": "none"}, sort_keys=False), encoding="utf-8")
    (data / "mine").mkdir()
    (data / "mine" / "study.yml").write_text(SIMPLE, encoding="utf-8")
    rows = [f"{row % 4},{(row * 7) % 11 + row % 4},{'North' if row % 3 else 'South'}" for row in range(90)]
    for name in ("data/mine/visits.csv", "last.csv"):
        Path(name).write_text("\n".join(["kindness,trust,site", *rows]) + "\n", encoding="utf-8")
    return tmp_path


EXPECTED = {
    "effect": "Supported|Cannot tell|Contradicted|Too small",
    "why": "changed: |Nothing has changed",
    "check": "No column has changed since last.csv",
    "plan": "Locked in .*plan.lock: ",
    "power": "Stepped wedge|stepped wedge",
    "score": "exhaustion: ",
    "claims": "asked: mine/trust",
    "instruments": "cbi: ",
    "data": "",
    "simulate": "truth.yml",
    "lessons": "01_reading_an_interval.ipynb",
    "trouble": "Words stand among numbers",
    "doctor": "Reports will come out.",
    "run": "Index: reports/index.html",
    "take": "retention",
    "share": "Begin at for_the_board/index.html",
}


@pytest.mark.parametrize("words", [one for one in [*SHOWN, *INLINE] if one not in STEPS], ids=" ".join)
def test_each_command_of_the_readme_does_what_it_says(words, place, here, monkeypatch):
    undrawn(monkeypatch)
    if words[0] == "doctor":
        words = [*words, "--no-report"]  # that of test_doctor makes one
    if words[0] == "power":
        words = [*words, "--draws", "20", "--units", "8"]
    if words[0] in ("why", "take", "share"):  # of a report that is there
        called(["run", "data/contact_centre", "--jobs", "1"])
    said = called([*words, *(["--jobs", "1"] if words[0] == "run" else [])])
    assert re.search(EXPECTED[words[0]], said), said


def test_from_a_strangers_table_to_a_report_by_the_steps_of_the_readme(tmp_path, monkeypatch, here):
    monkeypatch.chdir(tmp_path)
    undrawn(monkeypatch)
    Path("october.csv").write_text(strange(), encoding="utf-8-sig")
    new, check, run = STEPS
    said = called(new)
    assert "researchkit check data/october" in said and "researchkit run data/october" in said, "it says what is next"
    file = Path("data/october/study.yml")
    text = file.read_text(encoding="utf-8")
    left = CliRunner().invoke(main, check)
    assert left.exit_code == 1 and left.output.count("waits for you") == text.count(": FILL_IN")
    for old, mine in (
        ("title: FILL_IN", "title: Do kindly met patients come back?"),
        ("claim: FILL_IN", "claim: LOY-1"),
        ("exposure: FILL_IN", 'exposure: "How kind were they? (1-5)"'),
        ("column: FILL_IN, kind: score", 'column: "Came back?", kind: yes_no, yes: "yes"'),
        ("adjust: []", "adjust: [severity, Age]"),
        ("smallest_effect: FILL_IN", "smallest_effect: 0.02"),
    ):
        assert old in text, old
        text = text.replace(old, mine)
    file.write_text(text, encoding="utf-8")
    assert "OK, 1 question: October" in called(check)
    said = called([*run, "--jobs", "1"])
    assert "ok       october/first: " in said and "1 ok" in said
    page = Path("reports/october/first/report.html").read_text(encoding="utf-8")
    assert "Do kindly met patients come back?" in page and "P0001" not in page
    text = text.replace("# scales:", "scales:").replace("#   score:", "  score:").replace("# clusters:", "clusters:")
    file.write_text(text, encoding="utf-8")
    assert "score: 28" in called(check), "what the draft proposes can be taken up by taking its # away"
