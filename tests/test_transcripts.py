"""Codes from the words of conversations: what they are worth, when they may be used, what came first, and bad input."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import researchkit.simulate as worlds
from researchkit import account, scales, soundness, talk
from researchkit.answer import answer_question
from researchkit.batch.key import Keys
from researchkit.cli import main
from researchkit.dataset import load_dataset
from researchkit.drift import changes, outlined
from researchkit.errors import DataError, EstimationError, SourceError, StudyError
from researchkit.estimators import estimate
from researchkit.estimators.sequence import within
from researchkit.held import arrays
from researchkit.simulate import truth
from researchkit.study import load_study
from researchkit.tables import Prose
from researchkit.transcripts import agreed, by_phrases, heard, phrases
from researchkit.transcripts.agreement import kappa
from researchkit.transcripts.language import english
from researchkit.verdict import judge

DATA = Path(__file__).resolve().parents[1] / "data"
WORLD = DATA / "contact_centre_talk"


@pytest.fixture(scope="module")
def annomi(mirror, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESEARCHKIT_MIRROR", str(mirror))
        patch.setenv("RESEARCHKIT_DATA", str(tmp_path_factory.mktemp("downloads")))
        study = load_study(DATA / "annomi_mi")
        yield study, load_dataset(study, "turns")


@cache
def calls(table: str = "turns"):
    return load_dataset(load_study(WORLD), table)


# Real conversations


def test_the_published_shares_are_found_again(annomi):
    _, dataset = annomi
    does = talk.shares(dataset, "main_therapist_behaviour", "mi_quality")
    told = {row[0]: row[1:] for row in does.rows}
    assert [column.header for column in does.columns[1:]] == ["high", "low"]
    assert told["reflection"] == ("28.5 %", "7.0 %")
    assert told["question"] == ("28.0 %", "32.0 %") and told["other"] == ("32.9 %", "28.1 %")
    speaks = {row[0]: row[1:] for row in talk.shares(dataset, "client_talk_type", "mi_quality").rows}
    assert speaks["change"] == ("25.1 %", "17.2 %") and speaks["staying as it is"] == ("10.9 %", "15.0 %")


def test_a_learned_coder_beats_the_phrases_on_conversations_that_it_has_not_seen(annomi):
    pytest.importorskip("sklearn", reason="a coder is learned by scikit-learn (researchkit[text])")
    study, _ = annomi
    by_list, learned = (heard(study, "phrases", coder).agreement["reflecting"] for coder in ("phrases", "model"))
    assert (by_list.turns, by_list.conversations) == (learned.turns, learned.conversations) == (4882, 133)
    assert by_list.high < learned.low and 0.2 < by_list.kappa < 0.4
    assert 0.5 < learned.kappa < 0.62, "fair, and far from what people agree to"
    assert not heard(study, "phrases").good("reflecting")
    table = talk.agreement(study, "listening")
    assert [row[-1] for row in table.rows] == ["–", "–"], "the experts' own codes are what the study uses"
    assert "67 % of all words are among the commonest in English" in table.note


def test_a_question_cannot_lean_on_a_coder_that_does_not_agree(annomi, tmp_path):
    text = (DATA / "annomi_mi" / "study.yml").read_text(encoding="utf-8")
    (tmp_path / "study.yml").write_text(text.replace("{column: listening_reflecting,", "{column: phrases_reflecting,"))
    with pytest.raises(
        DataError, match=r"phrases_reflecting may enter no answer: .* kappa 0\.28 .* lower limit of 0\.6"
    ):
        load_dataset(load_study(tmp_path), "turns")


def test_turns_before_and_after_are_those_of_the_other_speaker(annomi):
    _, dataset = annomi
    frame = dataset.frame
    for _, rows in list(frame.groupby("transcript_id"))[:12]:
        rows, seen = rows.sort_values("utterance_id"), np.nan
        for place, (speaker, before, after) in enumerate(
            zip(
                rows["interlocutor"],
                rows["listening_before_change_talk"],
                rows["listening_next_change_talk"],
                strict=True,
            )
        ):
            if speaker == "client":
                assert pd.isna(before) and pd.isna(after)
                seen = rows["change_talk"].iloc[place]
                continue
            follows = rows.iloc[place + 1] if place + 1 < len(rows) else None
            then = follows["change_talk"] if follows is not None and follows["interlocutor"] == "client" else np.nan
            assert [before, after] == [seen, then] or pd.isna([before, after]).tolist() == pd.isna(
                [seen, then]
            ).tolist()


def test_here_change_talk_comes_before_reflection_and_not_after(annomi):
    _, dataset = annomi
    rows = talk.timing(dataset, "listening", "reflecting", "change_talk").data
    after, before = rows["Difference"][:2], rows["Difference"][2:]
    assert (after < 0).all() and (before > 0).all()


# What agreement is worth


COMMON, NEAR_ONE, RARE = (2, 4, 0.8), (2, 4, 0.97), (1, 12, 0.93)


def draws(rng, groups: int, kind=COMMON):
    """Turns of conversations that differ in how often a code is heard and how often the coder is right."""
    size = rng.integers(4, 30, groups)
    whose = np.repeat(np.arange(groups), size)
    a, b, right = kind
    often, sound = rng.beta(a, b, groups)[whose], rng.beta(12 * right, 12 * (1 - right), groups)[whose]
    people = rng.random(len(whose)) < often
    return people, people == (rng.random(len(whose)) < sound), whose


def test_kappa_is_cohens():
    people, coder, whose = draws(np.random.default_rng(1), 40)
    found = agreed("acting", people, coder, whose)
    assert found.kappa == pytest.approx(scales.kappa(people, coder).value, abs=1e-12)
    assert found.found == pytest.approx(coder[people].mean()) and found.right == pytest.approx(people[coder].mean())
    assert (found.turns, found.conversations) == (len(whose), 40)
    assert found.said == tuple(len(set(whose[rows])) for rows in
                               (people & coder, people & ~coder, ~people & coder, ~people & ~coder))  # fmt: skip


@pytest.mark.parametrize(("groups", "kind"), [(20, COMMON), (100, COMMON), (15, NEAR_ONE), (20, RARE)])
def test_the_interval_of_kappa_holds_where_one_that_ignores_conversations_does_not(groups, kind):
    rng = np.random.default_rng(groups)
    people, coder, whose = draws(rng, 60_000, kind)
    fields = np.column_stack([people & coder, people & ~coder, ~people & coder, ~people & ~coder])
    true = float(kappa(fields.sum(axis=0)))
    hits = np.zeros((400, 3))
    for run in range(len(hits)):
        people, coder, whose = draws(rng, groups, kind)
        found, plain = agreed("acting", people, coder, whose), scales.kappa(people, coder)
        hits[run] = found.low <= true <= found.high, found.low <= true, plain.low <= true <= plain.high
    held, lower, naive = hits.mean(axis=0)
    assert 0.92 <= held <= 0.99 and lower >= 0.95 and naive < held - 0.04


def test_where_nobody_ever_differs_the_limit_is_not_one():
    people = np.tile([True, False, False], 12)
    found = agreed("acting", people, people, np.repeat(np.arange(12), 3))
    assert (found.kappa, found.high) == (1.0, 1.0) and found.low == pytest.approx(0.05 ** (1 / 12))


@pytest.mark.parametrize(
    ("heard_by_people", "groups", "words"),
    [
        ([1, 0], 9, "9 conversations, and .* needs 10"),
        ([0, 0], 12, "heard it in no turn"),
        ([1, 1], 12, "in every turn"),
    ],
)
def test_agreement_that_cannot_be_told(heard_by_people, groups, words):
    people = np.tile(np.array(heard_by_people, dtype=bool), groups)
    with pytest.raises(DataError, match=words):
        agreed("acting", people, people, np.repeat(np.arange(groups), 2))


def test_a_learned_coder_is_tried_on_conversations_that_it_has_not_seen():
    pytest.importorskip("sklearn", reason="a coder is learned by scikit-learn (researchkit[text])")
    from researchkit.transcripts.learned import fitted, held_out

    whose = np.repeat(np.arange(40), 6)
    people = (np.arange(40) % 2 == 0)[whose]
    texts = [f"name{number} speaks" for number in whose]  # tells a turn by its conversation, and by nothing else
    assert (fitted(texts, people).predict(texts) == people).all(), "whoever has seen the conversation knows it all"
    guess = held_out(texts, people, whose)
    fields = [people & guess, people & ~guess, ~people & guess, ~people & ~guess]
    assert kappa(np.array([np.sum(field) for field in fields])) < 0.2


def test_without_scikit_learn_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(SourceError, match=r"pip install 'researchkit\[text\]'.*`coder: phrases` needs nothing"):
        heard(load_study(WORLD), "talk", "model")
    table = talk.agreement(load_study(WORLD), "talk")
    assert {row[0] for row in table.rows} == {"A list of phrases"} and "researchkit[text]" in table.note


# Phrases


def test_every_phrase_is_found_in_a_sentence_that_holds_it_and_not_within_a_word():
    for code, (brings, _) in phrases().items():
        for phrase in brings:
            words = [part.split("|")[0].replace("*", "") for part in phrase.removeprefix("^").split() if part != "..."]
            assert by_phrases([" ".join(words)], code)[0], (code, phrase)
    assert not by_phrases(["anowonderful", "calmly downward"], "acknowledging").any()
    assert by_phrases(["I’M SO  SORRY\nyou had to wait"], "acknowledging")[0], "curly quotes, capitals, line ends"
    assert by_phrases(["I understand, but our policy says no"], "acknowledging").tolist() == [False]


def test_hostile_strings_take_no_time():
    hostile = [
        "i " * 50_000,
        "that's " * 30_000,
        "we'll 'x' " * 20_000,
        "\x00" * 9_000,
        "<script>" * 5_000,
        "(a+)+$" * 5_000,
        "",
    ]
    start = time.perf_counter()
    for code in phrases():
        by_phrases(hostile, code)
    assert time.perf_counter() - start < 5


def test_english_is_told_from_other_languages():
    assert english(["My parcel has not arrived and nobody answers the phone, so what should I do now?"]) > 0.5
    for other in (
        "Guten Tag, ich bin sehr verärgert, denn meine Bestellung ist schon wieder nicht angekommen.",
        "Bonjour, je suis très en colère parce que ma commande n'est pas arrivée depuis deux semaines.",
        "Hola, estoy muy enfadado porque mi pedido no ha llegado y nadie me contesta desde hace dos semanas.",
        "Goedemorgen, ik ben erg boos want mijn bestelling is weer niet aangekomen en niemand neemt op.",
    ):
        assert english([other]) < 0.2


# Which came first


def by_hand(y, x, whose):
    """Both filters, row by row."""
    left, right = [], []
    for group in np.unique(whose):
        rows = np.flatnonzero(whose == group)
        for place in range(1, len(rows) - 1):
            now, later, before = rows[place], rows[place + 1 :], rows[:place]
            scale = np.sqrt(len(later) / (len(later) + 1))
            left.append([scale * (y[now] - y[later].mean()), *(scale * (x[now] - x[later].mean(axis=0)))])
            right.append(x[now] - x[before].mean(axis=0))
    left, right = np.array(left), np.array(right)
    return np.linalg.solve(right.T @ left[:, 1:], right.T @ left[:, 0])


def sequences(rng, groups: int):
    """Calls in which a word does -0.5, and words answer the anger before; each call has a level of its own."""
    rows = []
    for group in range(groups):
        level = rng.normal()
        anger = 2 * level + rng.normal()
        for _ in range(rng.integers(3, 9)):
            word = float(rng.random() < 1 / (1 + np.exp(0.5 * anger + 0.3 * level)))
            after = 0.5 * anger - 0.5 * word + level + rng.normal()
            rows.append((group, word, anger, after))
            anger = after
    group, word, before, after = np.array(rows).T
    return after, np.column_stack([word, before]), group.astype(int)


def test_timing_within_conversations_is_that_of_both_filters():
    after, columns, whose = sequences(np.random.default_rng(5), 30)
    found = within(after, columns, whose)
    assert found.coefficients == pytest.approx(by_hand(after, columns, whose), abs=1e-10)
    assert found.sequences == len([n for n in np.bincount(whose) if n >= 3])


def test_timing_holds_where_plain_fixed_effects_do_not():
    rng, runs = np.random.default_rng(6), 150
    ours, plain = np.zeros((runs, 2)), np.zeros(runs)
    for run in range(runs):
        after, columns, whose = sequences(rng, 60)
        found = within(after, columns, whose)
        ours[run] = found.low[0] <= -0.5 <= found.high[0], found.low[1] <= 0.5 <= found.high[1]
        both = np.column_stack([after, columns])
        both = both - np.array([np.bincount(whose, c) / np.bincount(whose) for c in both.T]).T[whose]
        plain[run] = np.linalg.lstsq(both[:, 1:], both[:, 0], rcond=None)[0][1]
    assert (ours.mean(axis=0) >= 0.9).all() and (ours.mean(axis=0) <= 0.99).all()
    assert plain.mean() < 0.3, "the lag of 0.5 is far too small with fixed effects"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y, x, w: (y[w < 5], x[w < 5], w[w < 5]), "sequences have 3 turns or more"),
        (lambda y, x, w: (y, np.column_stack([np.ones(len(y)), x[:, 1]]), w), "does not move within"),
        (lambda y, x, w: (y[::2], x[::2], (w % 3)[::2]), "must stand together"),
    ],
)
def test_timing_that_cannot_be_told(change, words):
    with pytest.raises(EstimationError, match=words):
        within(*change(*sequences(np.random.default_rng(7), 20)))


# The simulated calls


def test_the_committed_calls_are_what_the_seed_makes(tmp_path):
    for path in worlds.write_world("contact_centre_talk", tmp_path / "again"):
        assert path.read_bytes() == (WORLD / path.name).read_bytes(), f"{path.name} differs from the committed one"
    assert (WORLD / "study.yml").read_text(encoding="utf-8") == worlds.study_text("contact_centre_talk")


def test_every_verdict_is_the_one_deserved_and_crude_misleads_where_it_is_said_to():
    study, planted = load_study(WORLD), truth("contact_centre_talk", seed=worlds.WORLDS["contact_centre_talk"].SEED)
    assert yaml.safe_load((WORLD / "truth.yml").read_text(encoding="utf-8")) == planted
    assert set(planted) == {question.id for question in study.questions}
    assert {one["sort"] for one in planted.values()} == {"real", "zero"}
    for question in study.questions:
        dataset = calls(study.table_of(question))
        effect, crude = estimate(dataset, question), estimate(dataset, question, adjust=[])
        told = planted[question.id]
        assert judge(effect, question, study, crude=crude).word == told["deserves"], question.id
        assert (abs(crude.estimate - told["truth"]) > question.smallest_effect) == told["crude_misleads"], question.id
        assert abs(effect.estimate - told["truth"]) < question.smallest_effect, question.id


def test_the_list_of_phrases_is_good_and_not_perfect_here():
    found = heard(load_study(WORLD), "talk")
    assert all(0.6 < one.low and one.kappa < 0.95 for one in found.agreement.values())


def test_acknowledgement_comes_before_calm_and_reassurance_does_not():
    rows = talk.timing(calls(), "talk", "acknowledging", "anger").data
    assert (rows["Difference"][:2] < -0.5).all()
    low = [float(text.split(" to ")[0].replace("−", "-")) for text in rows["95 % interval"][2:]]
    assert low[0] < 0, "calmer callers are acknowledged more: the other direction is there, too"
    beside = ["severity", "talk_acknowledging", "talk_dismissing"]
    nothing = talk.timing(calls(), "talk", "reassuring", "anger", beside).data
    assert (nothing["Difference"][:2].abs() < 0.15).all()


def test_any_size_of_the_calls_works(tmp_path):
    for rows in (1, 2, 40):
        assert len(worlds.simulate("contact_centre_talk", rows=rows, seed=3)["calls.csv"]) == rows
    worlds.write_world("contact_centre_talk", tmp_path, rows=3, seed=3)
    assert {path.name for path in tmp_path.iterdir()} == {"calls.csv", "turns.csv", "study.yml", "truth.yml"}


# Into tables, pages and plans


def test_each_conversation_gets_the_shares_of_its_turns():
    turns, by_call = calls().frame, calls("calls").frame.set_index("call_id")
    means = turns.groupby("call_id")["talk_reflecting"].mean()
    assert by_call["talk_reflecting_share"].to_dict() == pytest.approx(means.to_dict())
    assert (by_call["talk_turns"] == turns.groupby("call_id").size()).all()
    last = turns.sort_values("talk_turn").groupby("call_id")["talk_acting"].shift()
    assert turns["talk_acting_last"].equals(last.reindex(turns.index).rename("talk_acting_last"))


def test_no_word_of_a_conversation_goes_beyond_the_reading():
    dataset = calls()
    said = pd.read_csv(WORLD / "turns.csv")["words"]
    longest = max(said, key=len)
    assert "words" not in dataset.arrived and not dataset.frame.isin([longest]).any(axis=None)
    assert longest.encode() not in b"".join(part.tobytes() for part in arrays(dataset).values())
    told = [str(part) for part in (account.arrived(dataset), account.columns(dataset), talk.lists())]
    assert not any(sentence in page for page in told for sentence in set(said) if len(sentence) > 30)


def test_what_people_said_is_not_kept_in_outline(tmp_path):
    study = study_in(tmp_path, turns_of().assign(text="Okay, thanks."))
    assert "Okay" not in json.dumps([one.to_dict(5) for one in outlined(study, "data").values()])
    kept = outlined(study, "data")
    study_in(tmp_path, turns_of())
    assert "Okay" not in " ".join(map(str, changes(kept, outlined(study, "data"), {"text"})))


def test_turns_that_stay_in_place_are_refused_in_words(tmp_path):
    pytest.importorskip("duckdb", reason="files in place are asked by DuckDB (researchkit[bigdata])")
    study_in(tmp_path, turns_of(), files={"path": "a.csv", "in_place": True})
    with pytest.raises(DataError, match=r"`transcripts: t` reads every turn, and the rows of 'data' stay in place"):
        answer_question(tmp_path, "q")


def test_a_page_says_how_far_the_coder_agrees(tmp_path):
    study_in(tmp_path, turns_of())
    told = str(soundness.observed(answer_question(tmp_path, "q")))
    assert "“t: acknowledging” is coded by a list of phrases; kappa 0.95 with people (95 % interval" in told
    assert "dilutes the effect" in told


def test_score_tells_agreement(tmp_path):
    study_in(tmp_path, turns_of())
    done = CliRunner().invoke(main, ["score", str(tmp_path)])
    assert done.exit_code == 0 and "How far coders and people agree" in done.output
    assert "95 % interval" in done.output


# Bad input


def turns_of(calls: int = 14, coded: bool = True) -> pd.DataFrame:
    """Small calls whose agent acknowledges in every second turn, and in which a person has heard it nearly always."""
    rows = []
    for call in range(calls):
        for turn in range(6):
            helps = turn % 2 == 1
            kind = (turn // 2 + call) % 2 == 0
            text = "I understand how hard this is for you." if kind else "Which date was it that you called about it?"
            person = int(kind if (call, turn) != (3, 1) else not kind) if helps and coded else None
            rows.append(
                {
                    "call": f"c 😀 {call}",
                    "n": turn,
                    "who": "agent" if helps else "caller",
                    "text": text if helps else "I have been waiting for it and nobody has called me back.",
                    "anger": None if helps else 5 - turn / 2 + call % 3,
                    "person": person,
                }
            )
    return pd.DataFrame(rows).astype({"person": "Int64"})


def study_in(folder, frame, asked: bool = True, spec=None, **more):
    frame.to_csv(folder / "a.csv", index=False)
    talks = {"conversation": "call", "order": "n", "speaker": "who", "helper": "agent", "text": "text",
             "codes": "acknowledging", "human": {"acknowledging": {"column": "person", "values": 1}},
             "at_least": 0.5, "follow": "anger"}  # fmt: skip
    exposure, outcome = ("t_acknowledging", "t_next_anger") if asked else ("n", "anger")
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "people": "call", "clusters": "call",
             "transcripts": {"t": {**talks, **(spec or {})}}}  # fmt: skip
    study["questions"] = [{"id": "q", "title": "?", "claim": "MEC-3", "family": "loyalty", "exposure": exposure,
                           "smallest_effect": 1, "outcome": {"column": outcome, "kind": "score"}}]  # fmt: skip
    (folder / "study.yml").write_text(json.dumps(study | more), encoding="utf-8")
    return load_study(folder)


def loaded(folder, frame, **more):
    return load_dataset(study_in(folder, frame, **more))


def test_small_calls_are_coded_and_nothing_is_left_of_the_words(tmp_path):
    dataset = loaded(tmp_path, turns_of())
    assert dataset.frame["t_acknowledging"].dropna().mean() == pytest.approx(0.5, abs=0.03)
    assert "text" not in dataset.frame and any("kappa 0.95 with people" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.iloc[:0], "there are no turns|holds no rows|is empty|no row"),
        (lambda f: f[f["who"] == "agent"], "who is the helper in every turn: one speaker only"),
        (
            lambda f: f.assign(who=f["who"].replace("agent", "agnet")),
            r"who is never 'agent' \(did you mean 'agnet'\?\)",
        ),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "2 turns share their call and n with another, in rows 5 and 86"),
        (lambda f: f.assign(n=f["n"].where(f.index != 7)), "1 turn has no n, in row 9"),
        (lambda f: f.assign(who=f["who"].where(f.index > 1)), "2 turns have no who, in rows 2 and 3"),
        (lambda f: f.assign(n="first"), "n: |n holds words"),
        (lambda f: f.assign(person=pd.NA), "no turn was coded by people"),
        (lambda f: f[f["call"].isin(sorted(set(f["call"]))[:9])], "people have coded 9 conversations, and .* needs 10"),
    ],
)
def test_turns_that_cannot_be_read(tmp_path, change, words):
    with pytest.raises(DataError, match=words):
        loaded(tmp_path, change(turns_of()))


def test_a_column_of_the_file_is_not_taken_for_a_code(tmp_path):
    frame = turns_of().assign(t_acknowledging=1)
    assert any("not used by the study: t_acknowledging" in note for note in loaded(tmp_path, frame).notes)
    with pytest.raises(DataError, match="t_acknowledging is made from `transcripts: t`, and stands in the file, too"):
        loaded(tmp_path, frame, columns={"t_acknowledging": {"label": "mine"}})


def test_all_that_is_wrong_is_said_at_once_without_what_people_said(tmp_path):
    frame = turns_of()
    frame.loc[0, "who"] = None
    frame.loc[5, "n"] = None
    with pytest.raises(DataError) as error:
        loaded(tmp_path, pd.concat([frame, frame.iloc[[3]]]))
    told = str(error.value)
    assert "no who" in told and "no n" in told and "share their call" in told and "understand" not in told


def test_turns_out_of_order_empty_or_of_one_speaker_are_told(tmp_path):
    frame = turns_of().sample(frac=1.0, random_state=1)
    alone = pd.DataFrame({"call": "alone", "n": [1, 2], "who": "agent", "text": ["Hello there.", None]})
    frame = pd.concat([frame, alone])
    frame.loc[(frame["call"] == "c 😀 2") & (frame["n"] == 3), "text"] = "  …!?  "
    dataset = loaded(tmp_path, frame)
    notes = " ".join(dataset.notes)
    assert "they were put in order" in notes and "1 of 15 conversations have one speaker only" in notes
    assert "2 turns of the helper have no words, and no code" in notes
    silent = dataset.frame[(dataset.frame["call"] == "c 😀 2") & (dataset.frame["n"] == 3)]
    assert silent["t_acknowledging"].isna().all(), "nothing was said, which is not the same as saying nothing kind"
    ordered = load_dataset(study_in(tmp_path, turns_of())).frame
    wanted = ordered.set_index(["call", "n"])["t_next_anger"].dropna()
    found = dataset.frame.set_index(["call", "n"])["t_next_anger"].dropna()
    assert found.sort_index().equals(wanted.sort_index())


def test_a_turn_that_the_helper_goes_on_with_is_answered_once(tmp_path):
    frame = turns_of()
    frame["anger"] = np.arange(len(frame), dtype=float)  # known of both sides, and meant of the other one only
    frame.loc[frame["n"] == 2, "who"] = "agent"  # so turns 1, 2 and 3 are the agent's
    rows = loaded(tmp_path, frame).frame.iloc[:6]
    assert rows["t_next_anger"].tolist()[1:4] == pytest.approx([np.nan, np.nan, 4.0], nan_ok=True)
    assert rows["t_before_anger"].tolist()[1:4] == [0.0, 0.0, 0.0]
    assert rows["t_turn"].tolist()[1:] == pytest.approx([1, 2, 3, np.nan, 4], nan_ok=True)


def test_another_language_is_left_uncoded_or_stops(tmp_path):
    german = turns_of().assign(
        text="Ich verstehe sehr gut, dass Sie nach so vielen Tagen verärgert sind, es tut mir leid."
    )
    with pytest.raises(DataError, match=r"14 of 14 conversations are not in the coder's language: of all words only 6"):
        loaded(tmp_path, german)
    some = german["call"].isin(["c 😀 1", "c 😀 5"])
    mixed = turns_of().assign(text=german["text"].where(some, turns_of()["text"]))
    dataset = loaded(tmp_path, mixed)
    assert any("2 of 14 conversations are not coded" in note for note in dataset.notes)
    assert dataset.frame.loc[some.to_numpy(), "t_acknowledging"].isna().all()


def test_codes_that_no_question_needs_are_left_out_with_the_reason(tmp_path):
    dataset = loaded(tmp_path, turns_of(coded=False), asked=False)
    assert "t_acknowledging" not in dataset.frame
    assert any(
        "how far it agrees is not known: no turn was coded by people; the study asks" in n for n in dataset.notes
    )


def test_hostile_words_break_nothing(tmp_path):
    frame = turns_of()
    frame.loc[::4, "text"] = [
        "=cmd()",
        "<script>alert(1)</script>",
        "\ud7ff\u202e" * 50,
        "a\x0bb" * 900,
        "'; DROP TABLE",
        "😀" * 99,
        "1e309",
    ] * 3
    assert loaded(tmp_path, frame).frame["t_acknowledging"].notna().sum() > 20


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"at_least": None}, "say with `at_least`, before you look"),
        ({"codes": "kindness"}, "acknowledging"),
        ({"codes": ["acting", "acting"]}, "twice"),
        ({"text": None}, "needs `text`"),
        ({"coder": "people"}, "`at_least` means nothing"),
        ({"coder": "people", "at_least": None, "human": {}}, "name it under `human`"),
        ({"into": "cals"}, "there is no table 'cals'"),
        ({"into": "data"}, "`into` names the table of turns itself"),
        ({"text": "anger"}, "cannot be asked about"),
        ({"helper": []}, "helper"),
    ],
)
def test_study_files_that_cannot_be_meant(tmp_path, spec, words):
    with pytest.raises(StudyError, match=words):
        study_in(tmp_path, turns_of(), spec=spec, asked="text" not in spec or spec["text"] is None)


def test_people_alone_need_no_words(tmp_path):
    dataset = loaded(
        tmp_path, turns_of().drop(columns="text"), spec={"coder": "people", "at_least": None, "text": None}
    )
    assert dataset.frame["t_acknowledging"].notna().sum() == 42
    assert "within them needs 10" in talk.timing(dataset, "t", "acknowledging", "anger").to_html(), (
        "calls of three exchanges"
    )
    assert isinstance(talk.agreement(dataset.study, "t"), Prose)


def test_a_profile_keeps_back_what_few_conversations_tell(tmp_path):
    open_table = talk.agreement(study_in(tmp_path, turns_of()), "t")
    closed = talk.agreement(study_in(tmp_path, turns_of(), disclosure="five"), "t")
    assert any(row[2] == "14" for row in open_table.rows)
    assert all("too few people to show" in row for row in closed.rows), "one turn of one call was heard otherwise"
    few = talk.timing(
        loaded(tmp_path, turns_of(12), disclosure="five").only("call", "c 😀 1"), "t", "acknowledging", "anger"
    )
    assert isinstance(few, Prose)


def test_a_report_is_made_again_when_people_or_words_change(tmp_path):
    def key(frame):
        study = study_in(tmp_path, frame, spec={"at_least": 0.2})
        return Keys().rows(study, study.question("q"), None)

    frame = turns_of()
    before = key(frame)
    other = frame.copy()
    other.loc[5, "person"] = 1 - other.loc[5, "person"]
    assert key(other) != before, "the agreement on the page would be stale"
    other = frame.copy()
    other.loc[1, "text"] = "Which date was it that you called about it?"
    assert key(other) != before and key(frame) == before


def test_a_plan_tells_how_words_are_coded(tmp_path):
    from researchkit.protocol import chosen, text

    study = load_study(WORLD)
    assert "coded by a list of phrases; agreement with people must be 0.6 or more" in "\n".join(text(study))
    assert chosen(study, study.question("calming"))["transcripts"]["talk"]["at_least"] == 0.6


def test_both_study_files_are_right_in_the_schema():
    schema = json.loads((DATA.parent / "src/researchkit/study.schema.json").read_text(encoding="utf-8"))
    assert set(schema["$defs"]["Transcript"]["properties"]) >= set(
        yaml.safe_load((WORLD / "study.yml").read_text(encoding="utf-8"))["transcripts"]["talk"]
    )


# A coder that is learned


def half_coded(text=None) -> pd.DataFrame:
    """Calls of which a person has coded every second one."""
    frame = turns_of(28)
    frame["person"] = frame["person"].where(frame["call"].str.split().str[-1].astype(int) % 2 == 0)
    return frame if text is None else frame.assign(text=frame["text"].map(text))


GERMAN = {
    "I understand how hard this is for you.": "Ich verstehe gut, wie schwer das gerade für Sie ist.",
    "Which date was it that you called about it?": "An welchem Tag haben Sie deswegen bei uns angerufen?",
    "I have been waiting for it and nobody has called me back.": "Ich warte seit Wochen darauf und niemand ruft zurück.",
}


def test_a_learned_coder_codes_what_people_have_not_and_is_blind_to_what_they_have(tmp_path):
    pytest.importorskip("sklearn", reason="a coder is learned by scikit-learn (researchkit[text])")
    from researchkit.transcripts.learned import fitted, held_out

    frame = half_coded()
    odd = (frame["call"] == "c 😀 4") & (frame["who"] == "agent")
    frame.loc[odd, ["text", "person"]] = ["I understand zebra crossing lights.", 0]  # words that stand in one call only
    found = heard(study_in(tmp_path, frame, spec={"coder": "model"}), "t")
    known, helps = frame["person"].notna().to_numpy(), (frame["who"] == "agent").to_numpy()
    texts, people = frame["text"].to_numpy(), (frame["person"] == 1).fillna(False).to_numpy(dtype=bool)
    whose = pd.factorize(frame["call"])[0]
    blind = held_out(list(texts[known]), people[known], whose[known])
    assert (found.codes["acknowledging"][known] == blind).all() and found.agreement["acknowledging"].conversations == 14
    assert (fitted(list(texts[known]), people[known]).predict(texts[known]) != blind).any(), (
        "the test tells the two apart"
    )
    rest = helps & ~known
    assert (found.codes["acknowledging"][rest] == fitted(list(texts[known]), people[known]).predict(texts[rest])).all()
    assert np.isnan(found.codes["acknowledging"][~helps]).all()


def test_a_learned_coder_takes_the_language_of_those_that_people_have_coded(tmp_path):
    pytest.importorskip("sklearn", reason="a coder is learned by scikit-learn (researchkit[text])")
    frame = half_coded(GERMAN.get)
    strange = frame["call"] == "c 😀 3"  # in English among German ones
    frame.loc[strange, "text"] = half_coded().loc[strange, "text"] + " Well, that is what I am here for."
    dataset = loaded(tmp_path, frame, spec={"coder": "model"})
    assert any(
        "1 of 28 conversations are not coded: most of their words are not known from" in n for n in dataset.notes
    )
    coded = dataset.frame["t_acknowledging"].notna()
    assert not coded[strange].any() and coded[~strange].sum() == 81


def test_shares_of_a_conversation_are_gated_like_its_turns(tmp_path):
    frame = turns_of()
    frame["person"] = frame["person"].where(frame["person"].isna(), (np.arange(len(frame)) // 2 % 2))
    tables = {"turns": {"files": "a.csv"}, "calls": {"files": "b.csv"}}
    pd.DataFrame({"call": [*sorted(set(frame["call"]))[1:], "unknown"], "heard": 1.0}).to_csv(
        tmp_path / "b.csv", index=False
    )
    asked = {"id": "q", "title": "?", "claim": "MEC-7", "family": "loyalty", "table": "calls", "smallest_effect": 1,
             "exposure": "t_acknowledging_share", "outcome": {"column": "heard", "kind": "score"}}  # fmt: skip
    study_in(tmp_path, frame)
    told = json.loads((tmp_path / "study.yml").read_text()) | {"tables": tables, "questions": [asked]}
    told["transcripts"]["t"] |= {"table": "turns", "into": "calls"}
    told = {key: value for key, value in told.items() if key not in ("files", "people", "clusters")}
    (tmp_path / "study.yml").write_text(json.dumps(told))
    with pytest.raises(DataError, match=r"t_acknowledging_share may enter no answer: .*kappa .*lower limit of 0\.5"):
        load_dataset(load_study(tmp_path), "calls")
    turns_of().to_csv(tmp_path / "a.csv", index=False)
    dataset = load_dataset(load_study(tmp_path), "calls")
    assert dataset.frame["t_acknowledging_share"].isna().tolist() == [False] * 13 + [True]
    notes = " ".join(dataset.notes)
    assert "1 rows have no turns" in notes and "1 conversations of the turns have no row here" in notes
    pd.DataFrame({"call": ["x", "y"], "heard": 1.0}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match="no call of this table has turns"):
        load_dataset(load_study(tmp_path), "calls")


def test_shares_of_few_conversations_are_kept_back(tmp_path):
    frame = turns_of().assign(site=lambda f: np.where(f["call"].str.endswith(("1", "2")), "small", "large"))
    columns = {"site": {"type": "category"}, "person": {"codes": {"0": "no", "1": "yes"}}}
    open_table = talk.shares(loaded(tmp_path, frame, columns=columns), "person", "site")
    closed = talk.shares(loaded(tmp_path, frame, columns=columns, disclosure="five"), "person", "site")
    assert [one.header for one in open_table.columns[1:]] == ["large", "small"]
    assert [one.header for one in closed.columns[1:]] == ["large"]
