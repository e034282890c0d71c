"""From everything that is published, a linear program must not recover a protected count; without a defence it does."""

from __future__ import annotations

import itertools
import json
import re
import stat
from dataclasses import replace
from functools import cache

import answers
import attack
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from researchkit import answer, internal
from researchkit.batch import plan, run
from researchkit.dataset import load_dataset
from researchkit.disclosure import PROFILES, apart
from researchkit.linked import exposed, hidden, left, levels, pages, reach, rounding, runs, table
from researchkit.linked.cells import reaches, small
from researchkit.linked.times import safe_times
from researchkit.site import write_index
from researchkit.study import load_study

PROTECTING = ["cms", "nhs", "ukllc", "five"]
GAPS = {
    "North": {"severity": 12, "trust": 2},
    "South": {"severity": 3, "stayed": 13},
    "East": {"kindness": 20},
    "Quay": {"trust": 15},
}
SEVEN = np.array([[40, 35, 7, 52], [61, 44, 38, 29], [33, 58, 47, 66]])


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """What is drawn is not read here, but the data behind it."""
    answers.undrawn(monkeypatch)


# Tables


@pytest.mark.parametrize("name", PROTECTING)
def test_a_seven_that_its_margins_give_away_is_protected(name):
    found, profile = table(SEVEN), replace(PROFILES[name], threshold=max(PROFILES[name].threshold, 8))
    first = small(found.people, profile)
    assert np.flatnonzero(first).tolist() == [2] and [limits[1:] for limits in exposed(found, first, profile)] == [
        (7, 7)
    ]
    gone = hidden(found, profile, keep=range(12, 20))
    assert not exposed(found, gone, profile) and gone[2] and not gone[12:].any()
    assert gone.sum() == 4  # the corners of a rectangle: no smaller choice protects a cell of a two-way table
    low, high = reach(found, gone, np.eye(12, dtype=bool)[2], profile)
    assert low <= 7 <= high and high - low >= profile.width


def test_an_empty_cell_is_protected_where_zeros_are_not_shown():
    counts = SEVEN.copy()
    counts[0, 2] = 0
    assert not hidden(table(counts), PROFILES["cms"]).any()
    gone = hidden(table(counts), PROFILES["ukllc"], keep=range(12, 20))
    assert gone[2] and gone.sum() == 4 and not exposed(table(counts), gone, PROFILES["ukllc"])


@given(arrays(np.int64, (3, 4), elements=st.integers(0, 40)), st.sampled_from(PROTECTING))
@settings(max_examples=25, deadline=None)
def test_no_small_cell_of_any_table_is_given_away(counts, name):
    found, profile = table(counts), PROFILES[name]
    gone = hidden(found, profile, keep=range(12, 20))
    assert not exposed(found, gone, profile)
    assert (gone | ~small(found.people, profile)).all()


@settings(max_examples=40, deadline=None)
@given(counts=arrays(np.int64, (3, 4), elements=st.integers(0, 40)), seed=st.integers(0, 999))
def test_the_ends_of_many_sums_solved_as_one_are_those_of_each(counts, seed):
    """Two linear programs a sum, by themselves: what the attacker would solve."""
    found, profile = table(counts), PROFILES["five"]
    gone = np.random.default_rng(seed).random(len(found.of)) < 0.5
    places = list(found.of)
    told = reaches(found, gone, places, profile)
    shown, values = found.of[~gone].astype(float), found.values[~gone]
    for place, (low, high) in zip(places, told, strict=True):
        for sign, end in ((1, low), (-1, high)):
            least = {"A_ub": -found.of[gone].astype(float), "b_ub": -np.minimum(1, found.values[gone])}
            given = least if profile.least and gone.any() else {}
            equal = {"A_eq": shown, "b_eq": values} if len(shown) else {}
            solved = linprog(sign * place.astype(float), bounds=(0, None), **given, **equal)
            assert end == (round(sign * solved.fun) if solved.status == 0 else 2**52)


def test_a_large_table_is_protected_in_a_moment():
    counts = np.random.default_rng(3).poisson(14, (6, 8))
    found = table(counts)
    assert not exposed(found, hidden(found, PROFILES["cms"], keep=range(48, 63)), PROFILES["cms"])


# A whole run


@cache
def published(folder, name, sizes=None, gaps=None):
    frame = attack.world(sizes or attack.SIZES, GAPS if gaps is None else gaps)
    return frame, attack.pages(attack.write(folder, frame, name))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("attack")


@pytest.mark.parametrize("name", PROTECTING)
def test_nothing_small_can_be_worked_out_from_all_pages_of_a_run(folder, name):
    frame, found = published(folder / name / "visits", name)
    assert attack.recovered(frame, found, PROFILES[name]) == []
    shown = [(page.question, page.site) for page in found if not page.why]
    assert {("stay", ""), ("stay", "North"), ("trust", "South")} <= set(shown)
    assert not {("stay", "West"), ("stay", "Quay")} & set(shown)  # Quay would tell West, as all less the others
    assert {page.why for page in found if page.why and page.site in ("West", "Quay")} == {
        page.why for page in found if page.site == "West"
    }  # in the very same words


@pytest.mark.attack
@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("name", ["cms", "nhs", "five", "ukllc"])
def test_nothing_small_can_be_worked_out_from_the_pages_of_any_world(tmp_path, name, seed):
    """Sites of any size, one of them small, and gaps of few or many, wherever chance puts them."""
    rng = np.random.default_rng(seed)
    sizes = {site: int(rng.integers(30, 200)) for site in ("North", "South", "East", "Quay")}
    sizes["West"] = int(rng.integers(1, 15))
    gaps = {
        site: {column: int(rng.integers(1, 18)) for column in attack.COLUMNS if rng.random() < 0.3}
        for site in ("North", "South", "East")
    }
    frame = attack.world(sizes, gaps, seed)
    found = attack.pages(attack.write(tmp_path / "visits", frame, name))
    assert attack.recovered(frame, found, PROFILES[name]) == []


def test_the_accounts_of_two_questions_side_by_side_tell_of_no_few(tmp_path, monkeypatch):
    """Each hides the 7 who lack kindness; those left out by one, less the 16 whom the other tells of, are at most 7."""
    frame = attack.world(
        {"North": 105, "South": 121}, {"North": {"stayed": 15}, "South": {"kindness": 7, "severity": 16}}
    )
    where = attack.write(tmp_path / "visits", frame, "ukllc")
    assert attack.recovered(frame, attack.pages(where), PROFILES["ukllc"]) == []
    monkeypatch.setattr(pages, "exposed", lambda found, *rest: np.zeros(len(found.rows), dtype=bool))
    weak = attack.recovered(frame, attack.pages(where), PROFILES["ukllc"])
    assert any("kindness missing, all: 7 people" in one for one in weak), weak


def test_sites_round_so_coarsely_that_the_others_do_not_tell_of_one():
    """14 at North and 1 at South lack only what one of two questions asks; all pages together tell of 15."""
    one, other, more = (np.array(counts) for counts in ([143, 60, 80], [157, 61, 80], [14, 1, 0]))
    pair, open_, profile = (
        rounding.Pair(one, other, 0 * more, more, (15, 15)),
        np.ones(3, dtype=bool),
        PROFILES["ukllc"],
    )
    assert list(rounding.tight(pair, open_, profile, 10)) == [False, True, False]
    chosen, still = rounding.base([pair], open_, profile, 10)
    assert chosen > 10 and still.all() and not rounding.tight(pair, open_, profile, chosen).any()


def test_a_question_about_a_few_takes_no_page_from_the_others():
    """Whoever is few by a rule of one question alone has pages for the others; whoever has few rows has none."""
    person, names = np.arange(200), ["North", "South", "West", ""]
    group = np.repeat([0, 1, 2], [100, 94, 6])
    everyone = left.Left(np.full(200, -1), ())
    picked = left.Left(np.where((group == 0) & (person >= 3), 0, -1), ("not new",))  # 3 left at North
    held = [set(pages.without_page(one, group, person, names, PROFILES["cms"])) for one in (everyone, picked)]
    assert "West" in held[0] and len(held[0]) == 2 and held[0] != {"West", "North"}
    assert {"West", "North"} <= held[1]


@pytest.mark.parametrize(
    ("whole", "to", "still"), [((1, 1), 0, [False] * 3), ((-19, 21), 10, [True] * 3)], ids=["exact", "rounded"]
)
def test_no_site_rounds_so_coarsely_that_its_count_is_lost(whole, to, still):
    """One at North lacks what a question asks. If all together are told exactly, no rounding of sites hides that."""
    one, other, more = (np.array(counts) for counts in ([30, 31, 80], [31, 31, 80], [1, 0, 0]))
    pair = rounding.Pair(one, other, 0 * more, more, whole)
    found, pages = rounding.base([pair], np.ones(3, dtype=bool), PROFILES["ukllc"], 10)
    assert (found, list(pages)) == (to, still)


def test_a_small_site_that_no_rounding_hides_has_no_page(tmp_path, monkeypatch):
    """Of 19 at South one lacks trust, and all pages tell exactly of 15: coarser counts would lose South's own."""
    frame = attack.world({"North": 157, "South": 19}, {"North": {"trust": 14}, "South": {"trust": 1}})
    where = attack.write(tmp_path / "visits", frame, "ukllc")
    study = load_study(where)
    data = load_dataset(study, study.table_of(study.questions[0]))
    found = [pages.company(data, question, "site") for question in study.questions]
    assert [(one.held, one.rounded) for one in found] == [({"South": 19}, 20), ({"South": 18}, 20)]
    assert attack.recovered(frame, attack.pages(where), PROFILES["ukllc"]) == []
    monkeypatch.setattr(pages, "base", lambda pairs, open_, *rest: (10, open_))
    monkeypatch.setattr(pages, "exposed", lambda found, *rest: np.zeros(len(found.rows), dtype=bool))
    assert any("South" in one for one in attack.recovered(frame, attack.pages(where), PROFILES["ukllc"]))


def test_sites_beside_the_account_of_everybody_tell_of_no_few(tmp_path, monkeypatch):
    """13 of all lack `stayed`; at East 122 answer one question and 110 the other, so at least 12 of them are there."""
    gaps = {"South": {"stayed": 1, "trust": 17, "kindness": 10}, "East": {"stayed": 12}}
    frame = attack.world({"North": 16, "South": 40, "East": 122}, gaps)
    where = attack.write(tmp_path / "visits", frame, "five")
    assert attack.recovered(frame, attack.pages(where), PROFILES["five"]) == []
    monkeypatch.setattr(pages, "exposed", lambda found, *rest: np.zeros(len(found.rows), dtype=bool))
    weak = attack.recovered(frame, attack.pages(where), PROFILES["five"])
    assert any("stayed missing, South: 1 people" in one for one in weak), weak


@pytest.mark.attack
@pytest.mark.parametrize("seed", range(2000, 2040))
def test_small_sites_with_few_gaps_tell_of_no_few(tmp_path, seed):
    rng = np.random.default_rng(seed)
    sites = ["North", "South", "East", "Quay"][: int(rng.integers(2, 5))]
    sizes = {site: int(rng.integers(12, 60) if rng.random() < 0.6 else rng.integers(60, 200)) for site in sites}
    few = {site: rng.random(len(attack.COLUMNS)) < 0.35 for site in sites}
    gaps = {
        site: {
            column: int(rng.integers(1, 4) if rng.random() < 0.6 else rng.integers(4, max(5, sizes[site] // 5)))
            for column, there in zip(attack.COLUMNS, few[site], strict=True)
            if there
        }
        for site in sites
    }
    profile = list(PROFILES)[1 + seed % 4]
    frame = attack.world(sizes, gaps, seed)
    found = attack.pages(attack.write(tmp_path / "visits", frame, profile))
    assert attack.recovered(frame, found, PROFILES[profile]) == []


UNEVEN = {"North": {"severity": 12, "trust": 12}, "South": {"severity": 3, "stayed": 13}, "East": {"kindness": 20}}
EVEN = {site: {"trust": 3} for site in ("North", "South", "East", "Quay")}


@pytest.mark.parametrize(
    ("gaps", "off", "asked", "given_away"),
    [
        (UNEVEN, lambda found: {"held": {"West": 9}}, ["stay"], "in the answer, West: 9 people, told as 9 to 9"),
        (UNEVEN, lambda found: {"quiet": False, "rounded": False}, ["stay"], "severity missing, South: 3 people"),
        (EVEN, lambda found: {"rounded": False}, ["stay", "trust"], "trust missing, South: 3 people, told as 3 to 3"),
    ],
    ids=["only the small site is held", "each site says whom it leaves out", "nothing is rounded"],
)
def test_without_a_defence_the_attacker_succeeds(tmp_path, monkeypatch, gaps, off, asked, given_away):
    """Each of what `company` decides is needed: with one of them gone, the pages of these questions tell a count exactly."""
    frame = attack.world({**attack.SIZES, "West": 9}, gaps)
    where = attack.write(tmp_path / "visits", frame, "cms")
    monkeypatch.setattr(answer, "company", lambda *asked: without(off, pages.company(*asked)))
    weak = attack.recovered(frame, attack.pages(where, asked), PROFILES["cms"])
    assert any(given_away in one for one in weak), weak


@pytest.mark.parametrize("gaps", [UNEVEN, EVEN], ids=["uneven", "even"])
def test_with_every_defence_the_same_attacker_fails(tmp_path, gaps):
    frame = attack.world({**attack.SIZES, "West": 9}, gaps)
    where = attack.write(tmp_path / "visits", frame, "cms")
    assert attack.recovered(frame, attack.pages(where), PROFILES["cms"]) == []


def without(off, found):
    return replace(found, **off(found))


def test_on_a_page_that_rounds_the_exact_number_stands_nowhere(folder):
    frame, found = published(folder / "cms" / "visits", "cms")
    rounded = [page for page in found if not page.why and page.result["data"]["rounded_to"] > 1]
    telling = 0
    for page in rounded:
        inside = frame[frame["site"].eq(page.site)].dropna(subset=list(attack.GAPS[page.question]))
        text = json.dumps(page.bundles, ensure_ascii=False, default=str)
        text = re.sub(r"base64,[A-Za-z0-9+/=]+|<svg.*?</svg>", "", text)
        if len(inside) % 10 == 0:
            continue
        telling += 1
        assert not re.search(rf"(?<![\d.,]){len(inside)}(?!\d|\.\d)", text), (page.question, page.site)
    assert telling == 4


def test_people_count_and_not_rows(tmp_path):
    """Sixty visits of three people are three people, and twelve rows of one person that lack an entry are one."""
    frame = attack.world({"North": 160, "South": 120, "East": 90, "West": 60}, {"North": {"trust": 12}})
    frame.loc[frame["site"] == "West", "person"] = [f"w{number % 3}" for number in range(60)]
    frame.loc[frame["trust"].isna(), "person"] = "p0"
    found = attack.pages(attack.write(tmp_path / "visits", frame, "five"))
    shown = {(page.question, page.site): page for page in found if not page.why}
    assert ("stay", "West") not in shown and ("stay", "East") not in shown and ("stay", "North") in shown
    assert shown["trust", ""].result["data"]["rows"] is None  # else the twelve rows of one would be told
    assert attack.recovered(frame, found, PROFILES["five"]) == []


# Two cuts of one exposure on one page


def leaning():
    """Six at the lowest level, nine at the highest: thirds and levels together would tell both."""
    frame = attack.world({"North": 185}, {}, seed=4)
    frame["kindness"] = np.repeat([1.0, 2.0, 3.0, 4.0, 5.0], [6, 40, 60, 70, 9])
    frame["stayed"] = np.tile([1.0, 0.0], 93)[:185]
    return frame


def test_levels_and_thirds_do_not_give_each_other_away(tmp_path, monkeypatch):
    frame = leaning()
    where = attack.write(tmp_path / "visits", frame, "cms")
    assert attack.levels_recovered(frame, attack.page(where, "stay", ""), PROFILES["cms"]) == []

    def each_alone(sample, question, profile, side):
        codes, places, _ = levels.levels(levels.scaled(sample, question))
        cuts = [codes == code for code in range(len(places))], levels.thirds(sample, question)
        return tuple(apart([sample.heads(rows) for rows in cut], profile.threshold) for cut in cuts)

    for where_from in ("researchkit.linked.levels.told_groups", "researchkit.figures.levels.told_groups"):
        monkeypatch.setattr(where_from, each_alone)
    weak = attack.levels_recovered(frame, attack.page(where, "stay", ""), PROFILES["cms"])
    assert any(one.startswith("level 1") for one in weak) and any(one.startswith("level 5") for one in weak)


def test_shares_over_two_cut_offs_do_not_tell_of_a_few_between_them():
    from researchkit import tables

    scores = [1.0] * 40 + [2.0] * 3 + [3.0] * 57
    rules = [{"name": str(at), "minimum": at, "source": "s"} for at in (2, 3)]
    shares = tables.cutoffs(scores, rules, fewest=11).data["share"]
    assert shares.notna().sum() == 1  # 60 % and 57 % of a hundred would tell of the three
    assert tables.cutoffs(scores, rules, fewest=3).data["share"].tolist() == [0.6, 0.57]
    crowd = np.array([0] * 40 + [1, 2, 3] + [4] * 57)
    assert tables.cutoffs(scores, rules, fewest=3, person=crowd).data["share"].isna().all()


def test_curves_are_told_only_between_times_at_which_enough_people_met_the_event():
    time = np.concatenate([np.full(3, 4.5), np.full(20, 15.5), np.full(17, 30.0)])
    event, every = time < 30, np.ones(40, dtype=bool)
    five = PROFILES["five"]
    told = safe_times(time, event, None, [every], 30.0, five)
    assert told[0] == 0 and told[-1] == 30 and not any(4.5 <= one < 15.5 for one in told[1:])  # three alone at 4.5
    for after, until in itertools.pairwise([-1.0, *told]):
        assert not 0 < (event & (time > after) & (time <= until)).sum() < 5
    assert len(safe_times(time, event, None, [every], 30.0, PROFILES["none"])) == 21
    assert safe_times(time, event, np.zeros(40, dtype=int), [every], 30.0, five) == []  # all of one person
    assert safe_times(time, time < 10, None, [every], 30.0, five) == []  # three in all


# Two runs


@pytest.fixture
def small_notebook(tmp_path):
    sources = [
        'study = "x"\nquestion = "x"\nby = ""\ndisclosure = ""',
        "import researchkit as rk\nanswer = rk.answer_question(study, question, by=by, disclosure=disclosure)",
        "rk.tables.flow(answer)",
        "answer",
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    return tmp_path / "small.ipynb"


@pytest.fixture
def months(tmp_path, small_notebook, here):
    """Runs of the question `stay` on the rows of one month after the other, into one folder."""
    out = tmp_path / "reports"

    def made(frame, by="site", **more):
        where = attack.write(tmp_path / "visits", frame, more.pop("profile", "five"))
        jobs = plan([load_study(where)], question="stay", by=by, notebook=small_notebook)
        return {report.by: report for report in run(jobs, out, 1, **more)}

    made.out = out
    return made


SITES = {"North": 80, "South": 70, "East": 60}


def joined(frame, number, site="North"):
    """The frame with so many more people of a site."""
    more = attack.world({site: number}, {}, seed=9).assign(person=[f"new{place}" for place in range(number)])
    return pd.concat([frame, more], ignore_index=True)


def result(report):
    return json.loads((report.folder / "result.json").read_text(encoding="utf-8"))


def test_a_page_that_differs_by_one_person_from_the_last_is_held_back(months):
    frame = attack.world(SIZES := SITES, {})
    first = months(frame)
    assert {report.status for report in first.values()} == {"ok"} and len(first) == len(SIZES)
    page = first["site=North"].page.read_bytes()
    second = months(joined(frame, 1))
    assert second["site=North"].status == "held back" and "fewer than 5 people" in second["site=North"].reason
    assert second["site=North"].page.read_bytes() == page and result(second["site=North"])["data"]["used"] == 80
    assert second["site=South"].status == "ok" and second["site=South"].unchanged
    third = months(joined(frame, 5))
    assert third["site=North"].status == "ok" and result(third["site=North"])["data"]["used"] == 85


def test_nothing_small_can_be_worked_out_from_the_files_of_two_months(months):
    """All that lies in the reports folder but for what is internal: JSON, CSV, pages, the index, the page by site."""
    sizes = {"North": 160, "South": 120, "East": 90, "Quay": 53, "West": 7}
    first = attack.world(sizes, {"North": {"severity": 2, "stayed": 13}, "South": {"kindness": 14}})
    second = joined(first, 12, "East").assign(person=lambda one: [f"p{place}" for place in range(len(one))])
    for frame in (first, second):
        months(frame, profile="cms")
        months(frame, by=None, profile="cms")
        write_index(months.out)
        files = [file for file in months.out.rglob("*") if file.is_file() and internal.FOLDER not in file.parts]
        assert {"index.html", "by-site.html", "result.json", "flow.csv"} <= {file.name for file in files}
        found = []
        for path in sorted(months.out.glob("visits/stay/**/result.json")):
            told = json.loads(path.read_text(encoding="utf-8"))
            csv = {"name": "flow", "csv": (path.parent / "tables" / "flow.csv").read_text(encoding="utf-8")}
            html = {"text/html": (path.parent / "report.html").read_text(encoding="utf-8")}
            bundles = [{"x.result+json": told}, {"x.table+json": csv}, html]
            found.append(attack.Page("stay", (told["by"] or "").partition("=")[2], bundles))
        assert {page.site for page in found} == {"", "North", "South", "East"}
        assert attack.recovered(frame, found, PROFILES["cms"]) == []
        for file in files:  # those of Quay are as many as may be shown, and would tell how many are in West
            text = re.sub(r"<svg.*?</svg>|base64,[\w+/=]+|sha256:\w+", "", file.read_text("utf-8"), flags=re.S)
            assert not re.search(r"\b53 (visits|people|rows)|\"n\": 53\b|>53<|,53\n", text), file
    grown = {report.by: report for report in months(second, profile="cms").values()}
    assert grown["site=East"].unchanged and result(grown["site=East"])["data"]["used"] == 102


def test_without_the_guard_two_months_tell_of_one_person(months, monkeypatch):
    monkeypatch.setattr("researchkit.linked.runs.moved", lambda *asked: 0)
    frame = attack.world(SITES, {})
    before, now = result(months(frame)["site=North"]), result(months(joined(frame, 1))["site=North"])
    assert now["data"]["used"] - before["data"]["used"] == 1


def test_one_who_left_or_whose_answer_changed_is_noticed_too(months):
    frame = attack.world(SITES, {})
    months(frame)
    assert months(frame.drop(index=3))["site=North"].status == "held back"
    changed = frame.copy()
    changed.loc[3, "stayed"] = 1 - changed.loc[3, "stayed"]
    assert months(changed)["site=North"].status == "held back"


def test_other_people_in_the_same_number_are_another_sample(months):
    months(attack.world(SITES, {}))
    other = attack.world({**SITES, "North": 79}, {}, seed=8)
    other["person"] = [f"q{number}" for number in range(len(other))]
    assert {report.status for report in months(other).values()} == {"ok"}


def test_the_whole_does_not_tell_what_a_site_holds_back(months):
    """One person came to North and five elsewhere: all less the others would tell of the one."""
    frame = attack.world(SITES, {})
    months(frame)
    assert months(frame, by=None)[None].status == "ok"
    grown = joined(joined(frame, 1), 6, "South").assign(person=lambda one: [f"p{place}" for place in range(len(one))])
    second = months(grown)
    assert {by for by, report in second.items() if report.status == "held back"} == {"site=North", "site=South"}
    assert months(grown, by=None)[None].status == "ok"  # seven people, of whom nobody knows where they are
    alone = joined(grown, 1)
    assert months(alone, by=None)[None].status == "held back"


def test_a_site_without_a_page_does_not_follow_from_what_all_and_the_others_gained(months):
    """North gained eleven and West, which has no page, one: all less the others would tell of that one."""
    sizes = {"North": 80, "South": 40, "East": 60, "West": 3}
    frame = attack.world(sizes, {})
    assert {by for by, report in months(frame).items() if report.status == "too few"} == {"site=West", "site=South"}
    assert months(frame, by=None)[None].status == "ok"
    grown = joined(joined(frame, 1, "West"), 11, "North")
    grown["person"] = [f"p{place}" for place in range(len(grown))]
    assert months(grown, by=None)[None].status == "ok"
    second = months(grown)
    assert second["site=North"].status == "held back" and second["site=West"].status == "too few"
    assert second["site=East"].unchanged


def test_a_first_page_about_all_is_held_back_where_it_would_tell_of_one_who_came(months):
    frame = attack.world(SITES, {})
    months(frame)
    assert months(joined(frame, 1), by=None)[None].status == "held back"


def test_a_run_that_failed_was_no_publication(months, small_notebook):
    frame = attack.world(SITES, {})
    good = small_notebook.read_text(encoding="utf-8")
    small_notebook.write_text(good.replace("rk.tables.flow(answer)", "1 / 0"), encoding="utf-8")
    assert {report.status for report in months(frame).values()} == {"error"}
    small_notebook.write_text(good, encoding="utf-8")
    assert {report.status for report in months(joined(frame, 1)).values()} == {"ok"}


def test_a_record_that_cannot_be_read_keeps_the_page_back_and_says_what_to_do(months):
    frame = attack.world(SITES, {})
    months(frame)
    record = internal.record_of(months.out, "visits/stay/site=North")
    for broken in ("{", '{"releases": [{"when": "x"}]}', '{"releases": 3}'):
        record.write_text(broken, encoding="utf-8")
        held = months(joined(frame, 9))["site=North"]
        assert held.status == "held back" and "cannot be read" in held.reason and "delete it" in held.reason
        assert str(record.relative_to(months.out)) in held.reason
    record.unlink()
    assert months(joined(frame, 9))["site=North"].status == "ok"


def test_nothing_is_remembered_without_a_profile(months):
    months(attack.world(SITES, {}), profile="none")
    assert not (months.out / internal.FOLDER).exists()


def test_the_log_says_what_was_hidden_and_lies_apart(months):
    frame = attack.world({**SITES, "Quay": 50, "West": 3}, {"North": {"severity": 2, "stayed": 9}})
    months(frame)
    months(frame, by=None)
    path = months.out / internal.FOLDER / internal.HIDDEN / "visits.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    told = {(line["page"], line["what"]): (line["people"], line["why"]) for line in lines}
    assert told["visits/stay", "page site=West"] == (3, "too few people")
    assert told["visits/stay", "page site=Quay"] == (50, "else another could be worked out")
    assert told["visits/stay", "rows left out: severity missing"] == (2, "too few people")
    assert {line["profile"] for line in lines} == {"five-1"}
    for file in (months.out / internal.FOLDER).rglob("*"):
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file
    for file in months.out.rglob("*"):
        if file.is_file() and internal.FOLDER not in file.parts:
            assert 'could be worked out"' not in file.read_text(encoding="utf-8"), file
            assert "hidden+json" not in file.read_text(encoding="utf-8"), file


def test_drawers_tell_how_many_and_never_who():
    rng = np.random.default_rng(5)
    who = rng.integers(0, 2**63, 20_000).astype(np.uint64)
    before = runs.drawers(who, who)
    for few in (1, 3, 10):
        assert runs.drawers(who[few:], who[few:]).differ(before) == few
        said = who.copy()
        said[:few] += np.uint64(1)
        assert 0 < runs.drawers(who, said).differ(before) <= few
    assert runs.drawers(who[:10_000], who[:10_000]).differ(before) > 1000
    text = before.to_text()
    assert runs.drawers_from(text).differ(before) == 0
    with pytest.raises(ValueError, match=r"multiple|no record"):
        runs.drawers_from(text[:40])
