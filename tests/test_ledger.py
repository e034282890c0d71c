"""The ledger: every claim once, with what was asked, what came out, and what it would take; and what was planted."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from researchkit import robustness, simulate, site
from researchkit.answer import settled
from researchkit.claims import claims
from researchkit.estimators import estimate_sample
from researchkit.robustness.designed import designed
from researchkit.simulate.planted import planted
from researchkit.site import truths, write_index
from researchkit.study import load_study
from researchkit.verdict import judge
from researchkit.warehouse import load

NASTY = "<script>alert(1)</script>\"'&=1+1"
RIVALS = [
    {"what": "hard problems", "word": "faced", "by": "adjusted for Severity"},
    {"what": "loyal customers", "word": "open", "by": "lots, or two sources"},
]


def result(question="retention", study="centre", by=None, word="supported", **more):
    effect = {"estimate": 0.0312345, "low": 0.023, "high": 0.039, "unit": "probability", "level": 0.95}
    effect |= {"contrast": "compassion +1 point", "n": 20000, "clusters": 300} | more.pop("effect", {})
    told = {"study": study, "study_title": "Contact centre", "question": question, "by": by}
    told |= {"title": f"Does {question} rise?", "claim": "LOY-1", "family": "loyalty", "design": "observational"}
    told |= {"simulated": True, "smallest_effect": 0.02, "good": "high", "expect": "better", "planned": True}
    told |= {"verdict": {"word": word, "marks": ["few clusters: 12"], "sentence": "", "reasons": []}}
    told |= {"effect": effect, "rivals": RIVALS, "planted": None}
    return told | more


def put(out, told):
    folder = out / told["study"] / told["question"] / (told["by"] or "")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(told), encoding="utf-8")
    (folder / "report.html").write_text("page", encoding="utf-8")


def made(out, *results, stopped=()):
    """The ledger's page over these results and reports that were not made."""
    for told in results:
        put(out, told)
    if stopped:
        (out / "run.json").write_text(json.dumps({"schema": 1, "reports": list(stopped)}), encoding="utf-8")
    write_index(out)
    return (out / "ledger.html").read_text(encoding="utf-8")


def part(page, claim):
    """The part of the page that is about one claim."""
    found = re.search(rf'<article class="claim" id="{claim}".*?</article>', page, re.S)
    return found[0] if found else ""


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def sheet(out):
    return list(csv.DictReader(io.StringIO((out / "ledger.csv").read_text(encoding="utf-8"))))


def test_every_claim_is_there_once_by_group_with_what_it_needs(tmp_path):
    page = made(tmp_path)
    assert re.findall(r'<article class="claim" id="([^"]+)"', page) == [one.id for one in claims()]
    assert page.count("No answer here: the data that would be needed") == 48
    for one in claims():
        told = words(part(page, one.id)).replace("&#39;", "'")
        assert one.statement in told and one.needs.least in told and one.rivals[0].what in told
    assert "0 of 48 have an answer" in page


def test_an_answer_stands_under_its_claim_with_verdict_number_study_marks_and_rivals(tmp_path):
    page = made(tmp_path, result())
    told = words(part(page, "LOY-1"))
    for wanted in ("Supported", "simulated", "Does retention rise?", "Contact centre", "+3.1 percentage points"):
        assert wanted in told
    for wanted in ("2.3 to 3.9", "few clusters", "Faced in part", "1 adjusted for Severity", "2 open", "Published: 7"):
        assert wanted in told
    assert "Untitled article on compassion in support roles" in told
    assert "<details open>" not in part(page, "LOY-1") and "<details open>" in part(page, "LOY-5")
    links = [unquote(link) for link in re.findall(r'<a href="([^"#]+)"', page)]
    assert "centre/retention/report.html" in links
    assert all((tmp_path / link).is_file() for link in links)


def test_a_report_that_was_not_made_stands_under_its_claim_with_its_reason(tmp_path):
    held = {"study": "centre", "question": "trust", "by": None, "status": "held back", "reason": "row 7: <b>few</b>"}
    page = made(tmp_path, stopped=[{**held, "page": "", "claim": "MEC-1", "asked": "Is there more trust?"}])
    told = part(page, "MEC-1")
    assert "Held back" in told and "Is there more trust?" in told and "row 7: &lt;b&gt;few" in told
    assert "0 of 48 have an answer" in page, "a report that was not made is no answer"
    (line,) = [line for line in sheet(tmp_path) if line["claim"] == "MEC-1"]
    assert (line["status"], line["reason"]) == ("held back", "row 7: <b>few</b>")


def test_a_result_that_cannot_be_read_and_one_without_a_claim_are_still_told(tmp_path):
    put(tmp_path, result("broken"))
    (tmp_path / "centre" / "broken" / "result.json").write_text("{", encoding="utf-8")
    page = made(tmp_path, result("odd", claim="XXX-1"))
    rest = words(page[page.index('id="of-others"') :])
    assert "Does odd rise?" in rest and "result.json cannot be read" in rest


@pytest.mark.parametrize("broken", [{"rivals": "yes"}, {"rivals": [{"what": "a"}]}, {"planted": {"truth": "x"}}])
def test_a_result_with_broken_parts_stops_nothing(tmp_path, broken):
    page = made(tmp_path, result("bad") | broken, result())
    assert "Does retention rise?" in page and "result.json cannot be read" in page


def test_empty_words_and_numbers_that_are_none_stop_nothing(tmp_path):
    odd = {
        "effect": {"estimate": None, "low": "a", "high": "b"},
        "planted": {"truth": 1, "unit": "", "deserves": "", "how": ""},
    }
    page = made(tmp_path, result(rivals=[{"what": "", "word": "", "by": ""}], word="", **odd))
    assert "Does retention rise?" in part(page, "LOY-1") and (tmp_path / "planted.html").exists()


def test_groups_stand_in_the_line_of_their_question_counted_by_word(tmp_path):
    groups = [result(by=f"site=S{n}", word=word) for n, word in enumerate(["supported"] * 3 + ["cannot tell"])]
    few = {"study": "centre", "question": "retention", "by": "site=T", "status": "too few", "claim": "LOY-1"}
    page = made(tmp_path, result(), *groups, stopped=[few])
    assert page.count('class="said') == 1
    assert "3 supported, 1 cannot tell, 1 too few" in words(page)
    assert len([line for line in sheet(tmp_path) if line["claim"] == "LOY-1"]) == 6
    alone = made(tmp_path / "alone", *groups)
    assert alone.count('class="said') == 1 and "3 supported" in words(alone)


def test_numbers_that_disclosure_hides_are_not_shown(tmp_path):
    hidden = {"estimate": None, "low": None, "high": None, "n": None}
    planted_ = {"truth": 0.03, "unit": "probability", "deserves": "supported", "how": "so"}
    page = made(tmp_path, result(effect=hidden, planted=planted_))
    assert "not shown" in part(page, "LOY-1") and "<use" not in part(page, "LOY-1")
    assert next(line["estimate"] for line in sheet(tmp_path)) == ""
    assert "0 of 0" in (tmp_path / "planted.html").read_text(encoding="utf-8")


def test_nothing_from_a_result_becomes_html_or_a_formula(tmp_path):
    bad = result(title=NASTY, study_title=NASTY, design=NASTY, rivals=[dict.fromkeys(("what", "word", "by"), NASTY)])
    bad |= {"planted": {"truth": 1.0, "unit": NASTY, "deserves": NASTY, "how": NASTY}}
    stopped = dict.fromkeys(("study", "question", "by", "status", "reason", "page", "claim", "asked"), NASTY)
    formula = result("formula", title="=HYPERLINK(1)")
    page = made(tmp_path, bad, formula, stopped=[stopped])
    for text in (page, (tmp_path / "planted.html").read_text(encoding="utf-8")):
        assert "<script" not in text and "alert(1)&lt;/script" in text
    assert [line["asked"] for line in sheet(tmp_path) if line["question"] == "formula"] == ["'=HYPERLINK(1)"]


def test_the_sheet_has_a_line_for_every_answer_and_for_every_claim_without_one(tmp_path):
    made(tmp_path, result(), result("days", word="cannot tell"))
    lines = sheet(tmp_path)
    assert [line["claim"] for line in lines] == ["LOY-1", *(one.id for one in claims())]
    first = lines[1]
    assert float(first["estimate"]) == 0.0312345 and first["verdict"] == "supported"
    assert first["faced_by"] == "hard problems: adjusted for Severity" and first["not_faced"] == "loyal customers"
    assert {line["status"] for line in lines[2:]} == {"no answer here"}
    assert all(line["needs"] and line["says"] for line in lines)


def boxes(page):
    return [one for one in re.findall(r'<input type="radio" name="\w" id="([\w-]+)"', page) if not one.endswith("-all")]


def test_every_filter_has_its_rule_and_every_line_can_be_found_by_it(tmp_path):
    hidden = {"study": "centre", "question": "trust", "by": None, "status": "stopped", "reason": "r", "page": ""}
    page = made(tmp_path, result(), result("real", simulated=False, rivals=[]), stopped=[hidden])
    assert "<script" not in page and "javascript" not in page
    assert "<style" not in page[page.index("<body>") :] and "&gt;" not in page[: page.index("<body>")]
    rules = re.findall(r"main((?::has\(#[\w-]+:checked\))+) :is\(\.said:not\(([.\w]+)\)", page)
    known = {box for chosen, _ in rules for box in re.findall(r"#([\w-]+):", chosen)}
    assert known == {box for box in boxes(page) if box[0] != "g" and box != "v-none"}
    for chosen, stay in rules:  # what is checked is what stays
        assert [box[2:] for box in re.findall(r"#([\w-]+):", chosen)] == stay[1:].split(".")
    kinds = {kind for line in re.findall(r'<li class="said ([^"]*)"', page) for kind in line.split()}
    assert kinds <= {box[2:] for box in boxes(page)}
    groups = set(re.findall(r'<section class="group" id="of-(\w+)"', page))
    assert groups - {"others"} == {box[2:] for box in boxes(page) if box[0] == "g"}
    assert "main:has(#v-none:checked) .claim:has(.said){display:none}" in page


def test_a_count_beside_a_filter_is_the_number_of_its_lines(tmp_path):
    page = made(tmp_path, result(), result("real", simulated=False, word="contradicted"))
    told = dict(re.findall(r'id="([\w-]+)"><span>[^<]*<small>(\d+)</small>', page))
    for box, n in told.items():
        if box != "v-none":
            lines = re.findall(r'<li class="said ([^"]*)"', page)
            assert int(n) == sum(box[2:] in line.split() for line in lines), box
    assert told["v-none"] == "47"


def test_it_stays_small_with_48_claims_in_30_studies_by_site(tmp_path):
    """1,440 answers with four groups each, told long: still a page that a phone loads."""
    rows = []
    for study in range(30):
        for one in claims():
            whole = result(one.id.lower(), f"study_{study}", claim=one.id)
            whole["study_title"] = "A study with a name of quite the usual length"
            whole["title"] = "Does a short compassionate conversation with a nurse shorten the stay?"
            whole["verdict"]["marks"] = ["few clusters: 12", "exposed: by severity", "one source: patient rated both"]
            told = "adjusted for Severity of the problem"
            whole["rivals"] = [{"what": rival.what, "word": "faced", "by": told} for rival in one.rivals]
            rows += [whole, *({**whole, "by": f"site={n}"} for n in range(4))]
    told = [site.rows._told(one, f"{one['study']}/{one['question']}/report.html") for one in rows]
    view = site.book.view(told, [], [])
    page = site.render("ledger", view, sheet="a", planted="", mark="")
    assert view["lines"] == 1440 == page.count('class="said')
    assert len(page.encode()) < 1_500_000


def test_it_is_left_as_it_is_where_nothing_changed_and_made_anew_where_something_did(tmp_path):
    made(tmp_path, result())
    first = (tmp_path / "ledger.html").stat().st_mtime_ns
    assert made(tmp_path, result()) and (tmp_path / "ledger.html").stat().st_mtime_ns == first
    assert "Contradicted" in made(tmp_path, result(word="contradicted"))
    (tmp_path / "ledger.csv").unlink()
    made(tmp_path)
    assert sheet(tmp_path)[0]["verdict"] == "contradicted"


def test_the_index_leads_to_the_ledger_and_to_what_was_planted(tmp_path):
    made(tmp_path, result())
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert 'href="ledger.html"' in index and "1 have an answer here" in words(index)
    assert "planted.html" not in index and not (tmp_path / "planted.html").exists()
    made(tmp_path, result(planted={"truth": 0.03, "unit": "probability", "deserves": "supported", "how": "so"}))
    assert 'href="planted.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")
    made(tmp_path, result())
    assert not (tmp_path / "planted.html").exists(), "a page of worlds that are gone would still look current"


def test_the_tables_of_the_notebook_tell_the_same(tmp_path):
    made(tmp_path, result(planted={"truth": 0.03, "unit": "probability", "deserves": "supported", "how": "so"}))
    (line,) = site.ledger(tmp_path).rows
    assert line[0] == "LOY-1" and "faced in part" in line
    left = site.unanswered(tmp_path)
    assert len(left.rows) == 47 and left.columns[-1].header == "And must face"
    assert site.planted(tmp_path).rows[0][-2:] == ("supported", "supported")
    assert len(site.unanswered(tmp_path / "nothing").rows) == 48
    assert "researchkit run" in site.ledger(tmp_path / "nothing").note
    assert "No simulated study" in site.planted(tmp_path / "nothing").note


# What was planted


def rows(*results):
    return [site.rows._told(one, "page.html") for one in results]


def truth(value, deserves="supported"):
    return {"truth": value, "unit": "probability", "deserves": deserves, "how": "so"}


def test_what_is_met_and_what_is_held_is_counted():
    told = truths.held(
        rows(
            result("a", planted=truth(0.03)),
            result("b", planted=truth(0.05), claim="LOY-2"),
            result("c", planted=truth(0.03, "cannot tell"), claim="LOY-2"),
            result("d", planted=truth(0.03), by="site=North", claim="LOY-3"),
            result("e", claim="LOY-3", simulated=False),
        )
    )
    found = truths.counts(told)
    assert (found["questions"], found["met"], found["holding"], found["intervals"]) == (3, 2, 2, 3)
    assert (found["claims"], found["claims_met"], found["missed"]) == (2, 1, ["LOY-2"])
    assert len(found["unasked"]) == 46
    assert "2 of 3 verdicts" in truths.words(told) and "Not what was deserved: LOY-2" in truths.words(told)


def test_the_truth_is_read_beside_a_simulated_study_only(tmp_path, root):
    centre = load_study(root / "data" / "contact_centre")
    assert planted(centre, "retention")["deserves"] == "supported"
    assert planted(centre, "nothing") is None
    assert planted(centre.model_copy(update={"simulated": False}), "retention") is None
    for broken in ("[", "[]", "retention: 1", "retention: {truth: .nan}", "retention: {truth: big}", "\x00"):
        (tmp_path / "truth.yml").write_text(broken)
        study = centre.model_copy()
        study._path = tmp_path / "study.yml"
        assert planted(study, "retention") is None, broken


@cache
def can_fail():
    """The designs whose attacks can say that an assumption fails, which turns the word."""
    files = Path(robustness.designed.__file__).parent.glob("*.py")
    return {file.stem for file in files if '"fails"' in file.read_text(encoding="utf-8")}


@cache
def answered(world, folder):
    """Each question of a world: its claim, the word that its data give, and the one they deserve.

    Of the attacks only those of designs that can fail are made: no other has a say in the word.
    """
    study, tables, told = load_study(folder), {}, []
    for question in study.questions:
        table = study.table_of(question)
        if table not in tables:
            tables[table] = load(study, table)
        sample = tables[table].sample(question)
        asked = settled(question, study, sample)
        effect = estimate_sample(sample, asked)
        room = asked.special.room if asked.special else ""
        checks = designed(tables[table], asked, effect, sample) if room in can_fail() else ()
        word = judge(effect, asked, study, checks=checks, fingerprint=tables[table].fingerprint).word
        told.append((question.claim, question.id, word, (planted(study, question.id) or {}).get("deserves")))
    return told


@pytest.fixture(scope="module")
def worlds(root):
    found = [one for world in simulate.WORLDS for one in answered(world, root / "data" / world)]
    assert all(deserved for *_, deserved in found), "a question without a planted truth"
    return found


def test_every_claim_has_a_simulated_study_that_asks_about_it(worlds):
    left = {one.id for one in claims()} - {claim for claim, *_ in worlds}
    assert not left, f"no simulated study asks about these: {sorted(left)}"


def test_the_worlds_get_the_verdicts_that_they_deserve(worlds):
    """At least 45 of the 48 claims get only what they deserve, whatever was asked about them."""
    missed = {(claim, id): (word, deserved) for claim, id, word, deserved in worlds if word != deserved}
    met = {claim for claim, *_ in worlds} - {claim for claim, _ in missed}
    assert len(met) >= 45, missed
