"""Which other explanations an answer has faced: each kind is faced by what its rule names, and by nothing else."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import pytest
import yaml

from researchkit.claims import Needs, Rival, claims
from researchkit.designs.mechanism import Times
from researchkit.rivals import faced, overall
from researchkit.rivals.own import faced_by_design
from researchkit.rivals.rules import RULES, WANTED
from researchkit.rivals.seen import Seen, spoken
from researchkit.robustness import Check
from researchkit.study import load_study

BASE = {
    "title": "t",
    "seed": 1,
    "files": "a.csv",
    "people": "person",
    "design": "observational",
    "clusters": "site",
    "columns": {
        "site": {"label": "Site"},
        "month": {"label": "Month"},
        "hard": {"label": "Severity of the problem"},
        "kind": {"label": "Kindness", "source": "customer"},
        "stayed": {"label": "Stayed", "source": "customer", "codes": {"0": "no", "1": "yes"}},
        "before": {"label": "Stress before"},
    },
}
QUESTION = {
    "id": "q",
    "title": "Does it?",
    "claim": "LOY-1",
    "exposure": "kind",
    "outcome": {"column": "stayed", "kind": "score"},
    "smallest_effect": 0.1,
    "family": "loyalty",
}

MOOD = {"scales": {"mood": {"items": ["m1", "m2"], "across": "site", "label": "Mood"}}}


@pytest.fixture
def asked(tmp_path):
    """A study with one question; keywords are the question's, `study` is merged into the study's."""

    def make(study=None, **question):
        path = tmp_path / "study.yml"
        path.write_text(yaml.safe_dump({**BASE, **(study or {}), "questions": [{**QUESTION, **question}]}))
        loaded = load_study(path)
        return loaded, loaded.question("q")

    return make


def source(column, who):
    return {"columns": {**BASE["columns"], column: {**BASE["columns"][column], "source": who}}}


def by(study, question, kind):
    """What faces a rival of that kind that is about severity, or about what stays the same for a site; "" for nothing."""
    rival = Rival("something else", kind, ("severity",), ("site", "person"))
    return next(filter(None, RULES[kind](Seen(study, question, None), rival)), "")


def test_every_rival_has_a_kind_with_a_rule_and_says_what_it_takes():
    kinds = {rival.kind for one in claims() for rival in one.rivals}
    assert kinds == set(RULES) == set(WANTED)
    for one in claims():
        assert all(rival.what and isinstance(rival.what, str) for rival in one.rivals)
        assert len({rival.what for rival in one.rivals}) == len(one.rivals)
        about = [rival for rival in one.rivals if rival.kind in ("confounder", "standing")]
        wordless = [rival for rival in about if not rival.words and not rival.units]
        assert not wordless, f"{one.id}: nothing could ever face {wordless}"


def test_every_claim_says_what_data_it_needs_in_words_of_its_own():
    for one in claims():
        for part in fields(Needs):
            words = getattr(one.needs, part.name)
            assert (words and words[0].islower()) or words[0].isdigit(), (one.id, part.name, words)
        assert one.needs.exposure not in one.design
    assert len({one.needs for one in claims()}) == 48


@pytest.mark.parametrize(
    ("kind", "question", "study", "words"),
    [
        ("confounder", {"adjust": ["hard"]}, {}, "adjusted for Severity of the problem"),
        ("confounder", {"adjust": ["month"]}, {}, ""),
        ("confounder", {"design": "randomised"}, {}, "drawn by lot"),
        ("confounder", {"design": "rollout", "adjust": ["site", "month"]}, {}, ""),
        ("standing", {"adjust": ["hard"]}, {}, "adjusted for Severity of the problem"),
        ("standing", {"adjust": ["site"]}, {}, "within Site"),
        (
            "standing",
            {"adjust": ["site"]},
            {"columns": {**BASE["columns"], "site": {"label": "Size of the site"}}},
            "within",
        ),
        (
            "standing",
            {"adjust": ["month"]},
            {"columns": {**BASE["columns"], "month": {"label": "Size of the site"}}},
            "",
        ),
        ("standing", {"design": "rollout"}, {}, ""),
        (
            "trend",
            {"design": "rollout", "adjust": ["site", "month"]},
            {},
            "rolled out, within Site, adjusted for Month",
        ),
        ("trend", {"design": "rollout", "adjust": ["site"]}, {}, ""),
        ("trend", {"design": "rollout", "adjust": ["month"]}, {}, ""),
        ("trend", {"adjust": ["site", "month"]}, {}, ""),
        ("selection", {"design": "rollout", "adjust": ["site"]}, {}, "rolled out, within Site"),
        ("selection", {"adjust": ["site", "hard"]}, {}, ""),
        ("reverse", {}, {}, ""),
        (
            "reverse",
            {"outcome": {"column": "stayed", "kind": "change", "baseline": "before"}},
            {},
            "given Stress before",
        ),
        ("regression", {"outcome": {"column": "stayed", "kind": "change", "baseline": "before"}}, {}, "given Stress"),
        ("one source", {}, {}, ""),
        ("one source", {}, source("stayed", "billing records"), "sources apart: customer; billing records"),
        ("one source", {}, source("stayed", None), ""),
        ("one source", {"design": "randomised"}, {}, "drawn by lot"),
        ("demand", {"design": "randomised"}, {}, ""),
        ("demand", {}, source("stayed", "blind rater"), "outcome from: blind rater"),
        ("blind", {}, source("stayed", "catalogue"), ""),
        ("dropout", {}, source("stayed", "billing records"), "outcome from: billing records"),
        ("ecological", {}, {}, "rows are not averages"),
        ("ecological", {}, {"aggregates": True}, ""),
        ("other", {"design": "randomised", "adjust": ["hard"]}, {}, ""),
        ("reverse", {"adjust": ["hard"]}, {}, "adjusted for Severity of the problem"),
        ("measure", {"design": "randomised"}, {}, ""),
        ("differs", {}, {}, ""),
        ("differs", {"outcome": {"column": "mood", "kind": "score"}}, MOOD, "meaning of Mood compared across Site"),
        ("raters", {}, {}, ""),
        (
            "raters",
            {},
            {"raters": {"two": {"of": "kind", "columns": ["one", "other"]}}},
            "agreement of raters on Kind",
        ),
        ("rare", {}, {}, ""),
    ],
)
def test_a_rule_names_what_faces_a_rival(asked, kind, question, study, words):
    told = by(*asked(study, **question), kind)
    assert told.startswith(words) if words else told == ""


def designed(asked, room, study=None, question=None, **parts):
    """A question with a design of its own, as `rivals` sees it."""
    loaded, plain = asked(study, **(question or {}))
    names = ("claim", "exposure", "outcome", "adjust", "table", "design", "clusters", "negative_control")
    own = SimpleNamespace(room=room, **parts)
    return loaded, SimpleNamespace(special=own, **{name: getattr(plain, name) for name in names})


ROLL = {"unit": "site", "time": "month"}
SEEN, HELD = {"minimum": None, "raters": ()}, {"minimum": 0.8, "raters": ("one", "other")}
SITES = ("site", "team")  # for which it stays the same


@pytest.mark.parametrize(
    ("room", "parts", "kind", "about", "words"),
    [
        ("rollout", ROLL, "standing", SITES, "each Site against itself and those not there yet at the same Month"),
        ("rollout", ROLL, "standing", ("trait",), ""),
        ("rollout", ROLL, "trend", (), "each Site against itself"),
        ("rollout", ROLL, "confounder", SITES, ""),
        ("rollout", ROLL, "one source", (), ""),
        ("within", {"who": "person", "when": None, "lag": 0}, "standing", ("person",), "each person against itself"),
        ("within", {"who": "site", "when": None, "lag": 0}, "standing", ("person",), ""),
        ("within", {"who": "person", "when": None, "lag": 0}, "trend", (), ""),
        ("within", {"who": "person", "when": "month", "lag": 0}, "trend", (), "at the same Month"),
        ("within", {"who": "person", "when": "month", "lag": 0}, "reverse", (), ""),
        ("within", {"who": "person", "when": "month", "lag": 1}, "reverse", (), "the exposure of the Month before"),
        ("contagion", {"when": "month"}, "reverse", (), "colleagues as they were the Month before"),
        ("contagion", {"when": "month"}, "trend", (), ""),
        ("halves", {"team": "site", "when": None, "lag": 0}, "one source", (), "two halves of each Site"),
        ("halves", {"team": "site", "when": None, "lag": 0}, "reverse", (), ""),
        ("mechanism", {"mediator": "before", "times": None}, "reverse", (), ""),
        ("mechanism", {"mediator": "before", "times": Times(exposure=1, mediator=1, outcome=2)}, "reverse", (), ""),
        (
            "mechanism",
            {"mediator": "before", "times": Times(exposure=1, mediator=2, outcome="month")},
            "reverse",
            (),
            "exposure, mediator and outcome",
        ),
        ("series", ROLL, "trend", (), "beside the course of others by Site"),
        ("series", ROLL, "reverse", (), ""),
        ("limit", {"running": "hard"}, "selection", (), "those just beyond a limit of Severity of the problem"),
        ("limit", {"running": "hard"}, "reverse", (), ""),
        ("mix", {"of": ("month", "hard")}, "confounder", ("severity",), "as if both had the same mix of Severity of"),
        ("mix", {"of": ("month",)}, "confounder", ("severity",), ""),
        ("recovery", {"among_failures": ("hard",), "at_failure": None}, "confounder", ("severity",), "Severity of the"),
        ("recovery", {"among_failures": ("hard",), "at_failure": None}, "confounder", ("refund",), ""),
        ("recovery", {"among_failures": (), "at_failure": None}, "regression", (), ""),
        ("recovery", {"among_failures": (), "at_failure": "before"}, "regression", (), "from Stress before on"),
        (
            "detection",
            {"of": "sensitivity", "by": "kind", "applicants_sd": None, **SEEN},
            "measure",
            (),
            "held against Stayed",
        ),
        (
            "detection",
            {"of": "effect", "by": "before", "applicants_sd": None, **SEEN},
            "measure",
            (),
            "held against Stress",
        ),
        ("detection", {"of": "correlation", "by": "kind", "applicants_sd": None, **SEEN}, "selection", (), ""),
        (
            "detection",
            {"of": "correlation", "by": "kind", "applicants_sd": 1.0, **SEEN},
            "selection",
            (),
            "corrected for the",
        ),
        (
            "detection",
            {"of": "sensitivity", "by": "kind", "applicants_sd": None, **SEEN},
            "differs",
            (),
            "held against",
        ),
        ("detection", {"of": "sensitivity", "by": "kind", "applicants_sd": None, **HELD}, "differs", (), ""),
        ("detection", {"of": "sensitivity", "by": "kind", "applicants_sd": None, **SEEN}, "raters", (), ""),
        ("detection", {"of": "sensitivity", "by": "kind", "applicants_sd": None, **HELD}, "raters", (), "2 raters"),
        ("something new", {}, "reverse", (), ""),
    ],
)
def test_a_design_of_its_own_faces_what_it_names(asked, room, parts, kind, about, words):
    seen = Seen(*designed(asked, room, **parts), None)
    told = faced_by_design(seen, Rival("something else", kind, about, about))
    assert told.startswith(words) if words else told == ""


def test_a_mediator_needs_a_source_of_its_own_and_is_not_drawn_by_lot(asked):
    study = source("stayed", "billing records")
    drawn = {"design": "randomised"}
    two = designed(asked, "mechanism", study, drawn, mediator="before", times=None, lots=False, adjust=("hard",))
    assert by(*two, "one source") == "" and by(*two, "selection") == ""
    assert by(*two, "confounder") == "adjusted for Severity of the problem"
    study["columns"]["before"] = {"label": "Stress before", "source": "nurse"}
    three = designed(asked, "mechanism", study, drawn, mediator="before", times=None, lots=False, adjust=())
    assert by(*three, "one source") == "sources apart: customer; nurse; billing records"


def test_unnamed_columns_do_not_count(asked):
    """A column that measures severity under a name and a label that do not say so is not taken on trust."""
    study = {"columns": {**BASE["columns"], "hard": {"label": "Q17"}}}
    assert by(*asked(study, adjust=["hard"]), "confounder") == ""


def test_what_is_not_faced_says_what_it_would_take(asked):
    told = faced(*asked())
    assert [one.word for one in told] == ["open", "open", "open"]
    assert all(one.by for one in told)
    assert overall(one.word for one in told) == "not faced"


def test_a_negative_control_without_an_effect_probes_and_one_with_an_effect_does_not(asked):
    study, question = asked(negative_control="before")
    for mark, word in (("", "probed"), ("exposed: it goes with it, too", "open")):
        control = Check("negative control", "f", {"p": 0.5}, mark=mark)
        assert faced(study, question, None, [control])[0].word == word
    unrun = Check("negative control", "f", reason="the study names none")
    assert faced(study, question, None, [unrun])[0].word == "open"
    assert "Stress before" in faced(study, question, None, [Check("negative control", "f")])[0].by


def test_gaps_that_change_nothing_probe_who_dropped_out(asked):
    study, question = asked()
    told = {"facts": {"imputed": {"estimate": 1.0}}}
    assert faced(study, question, None, [Check("missing data", "f", **told)])[2].word == "probed"
    assert (
        faced(study, question, None, [Check("missing data", "f", mark="gaps: another word", **told)])[2].word == "open"
    )
    assert faced(study, question, None, [Check("missing data", "f", {"imputed": None})])[2].word == "open"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["faced", "faced"], "faced"),
        (["faced", "open"], "faced in part"),
        (["probed", "open"], "faced in part"),
        (["faced", "probed"], "faced in part"),
        (["open"], "not faced"),
        ([], "not faced"),
    ],
)
def test_all_rivals_in_one_word(words, told):
    assert overall(words) == told


@pytest.mark.parametrize(
    ("text", "word", "there"),
    [
        ("severity_score", "severity", True),
        ("Number of sites", "site", True),
        ("Website visits", "site", False),
        ("AGE of the agent", "age", True),
        ("agent", "age", False),
        ("Workload (patients a shift)", "patients a shift", True),
        ("a+b", "a.b", False),
    ],
)
def test_words_are_found_whole(text, word, there):
    assert spoken(text, [word]) is there


def test_the_worlds_are_told_as_they_are(root):
    """The trial faces all that lots can; the answer with one source does not claim to have faced it."""
    hospital, centre = (load_study(root / "data" / world) for world in ("hospital", "contact_centre"))
    trial = faced(hospital, hospital.question("length_of_stay"))
    assert {one.by for one in trial} == {"drawn by lot"}
    one_source = faced(centre, centre.question("satisfaction_one_source"))
    assert [one.word for one in one_source] == ["open", "faced"]
