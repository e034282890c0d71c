"""The room `learn`: what a check says of right, wrong, known-wrong and strange answers, and of every mistake it knows."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from researchkit import learn
from researchkit.cli import main
from researchkit.errors import ParameterError
from researchkit.estimators import Effect
from researchkit.learn import told
from researchkit.learn.exercise import Exercise, Lesson, Mistake, alike, read

EXERCISES = [(name, which) for name in learn.LESSONS for which in learn.lesson(name).exercises]


class Hostile:
    """An object that breaks whatever is done to it."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    def __str__(self):
        raise RuntimeError("str")

    def __eq__(self, other):
        raise RuntimeError("eq")

    __hash__ = None


STRANGE = [
    "",
    "eleven",
    "🙂 <script>",
    b"bytes",
    float("nan"),
    float("inf"),
    10**400,
    1 + 2j,
    pd.NA,
    pd.NaT,
    [],
    {},
    {"a": 1},
    (1, 2, 3, 4),
    [None, None],
    ["a", ["b"]],
    np.array([]),
    np.eye(3),
    pd.Series(dtype=float),
    pd.DataFrame({"a": [1, 2]}),
    object(),
    print,
    int,
    Hostile(),
    [Hostile()],
]


@pytest.fixture
def small(monkeypatch):
    """A lesson with one exercise of each kind of answer."""
    tens = Mistake(lambda: 40, "You counted in tens.")
    near = Mistake(lambda: 8, "You are off by much.", made=lambda given: given > 100)
    kinds = {
        "number": Exercise("how many.", lambda: 4.0, "the number", "the way", ("Count.", "Four."), (tens, near)),
        "truth": Exercise("True or False.", lambda: True, "which", "why", ("Look.",)),
        "word": Exercise("a word.", lambda: "less", "the word", "why", ("Look.",), words=("less", "more")),
        "names": Exercise("which.", lambda: {"a", "b"}, "the names", "why", ("Look.",)),
        "pair": Exercise("two.", lambda: (-1.0, 2.0), "both", "why", ("Look.",), told=lambda: "Well read."),
    }
    lesson = Lesson(1, "Why?", "One.", 5, kinds, lambda: {"a.csv": pd.DataFrame({"x": [1, 2]})})
    monkeypatch.setattr(learn, "lesson", lambda name: lesson)
    monkeypatch.setattr(learn, "LESSONS", ("small",))
    for kept in ("_given", "_done"):
        monkeypatch.setattr(learn, kept, {})
    learn._tables.cache_clear()
    yield lesson
    learn._tables.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", 4),
        ("number", 3.95),
        ("number", np.int64(4)),
        ("number", pd.Series([4.0])),
        ("number", np.array(4.0)),
        ("truth", True),
        ("truth", np.bool_(True)),
        ("word", " LESS "),
        ("names", ["b", "a", "a"]),
        ("names", pd.Series(["a", "b"])),
        ("pair", [-1, 2]),
        ("pair", pd.Series([-1.01, 2.03])),
    ],
)
def test_a_right_answer_is_right_however_it_is_held(small, name, value):
    assert learn.check(f"small.{name}", value).state == "right"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("number", 5, "Not this."),
        ("number", -4, "the sign is not"),
        ("number", 400.5, "off by much"),
        ("number", 0.04, "in per cent"),
        ("number", "4", "A number is asked for; this is text."),
        ("number", True, "this is True or False"),
        ("number", len, "brackets"),
        ("number", float("nan"), "a gap"),
        ("number", pd.DataFrame({"a": [1]}), "a whole table"),
        ("number", [4, 4], "a collection of 2"),
        ("truth", False, "Not this."),
        ("truth", "perhaps", "True or False is asked for"),
        ("word", "same", "One of these words is asked for: less, more"),
        ("word", 3, "A word in quotes"),
        ("names", ["a"], "Not this."),
        ("names", 3, "A list of names"),
        ("pair", [-1], "2 numbers"),
        ("pair", (2, -1), "Not this."),
        ("pair", 3, "2 numbers"),
    ],
)
def test_a_wrong_answer_is_told_what_is_wrong_with_it(small, name, value, words):
    found = learn.check(f"small.{name}", value)
    assert not found.right and words in found.words


def test_a_whole_effect_is_told_where_its_number_is(small):
    effect = Effect.__new__(Effect)
    for name in ("estimate", "low", "high"):
        object.__setattr__(effect, name, 4.0)
    assert ".estimate" in learn.check("small.number", effect).words


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("name", ["number", "truth", "word", "names", "pair"])
def test_a_strange_answer_raises_nothing_and_is_not_right(small, name, value):
    found = learn.check(f"small.{name}", value)
    assert found.state in ("not this", "a known mistake")
    assert str(found) and "<script>" not in found._repr_html_()


@pytest.mark.parametrize("value", [..., None])
def test_before_an_answer_it_is_not_yet(small, value):
    found = learn.check("small.number", value)
    assert found.state == "not yet" and "how many" in found.words and not found.right


@pytest.mark.parametrize("name", ["small.nombre", "smal.number", "number", "", 3, None])
def test_a_name_that_there_is_not_is_told(small, name):
    assert "There is no" in learn.check(name, 4).words or "has no exercise" in learn.check(name, 4).words
    assert learn.hint(name).state == "not this"


def test_a_check_says_what_it_looks_at_what_not_and_where_hints_are(small):
    wrong, right = learn.check("small.number", 5), learn.check("small.pair", (-1, 2))
    assert [head for head, _ in wrong.more] == ["Checked", "Not checked", "Stuck?"]
    assert [head for head, _ in right.more] == ["Checked", "Not checked"] and right.words == "Right. Well read."
    page = wrong._repr_html_()
    assert "the number" in page and "<code>learn.hint(&quot;small.number&quot;)</code>" in page


def test_a_mistake_gets_its_own_hint_and_never_the_answer(small):
    assert "in tens" in learn.check("small.number", 40).words
    assert "4" not in learn.check("small.number", 40).words


def test_hints_come_in_steps_and_the_last_is_said_again(small):
    said = [learn.hint("small.number").words for _ in range(3)]
    assert said[0] == "Hint 1 of 2: Count."
    assert said[1] == said[2] and said[1].startswith("Hint 2 of 2: Four.") and "worked answer" in said[1]


def test_progress_goes_by_the_last_check(small):
    learn.check("small.number", 4)
    learn.check("small.truth", True)
    learn.check("small.truth", False)
    table = learn.progress("small")
    assert [row[2] for row in table.rows] == ["done", "–", "–", "–", "–"] and table.note == "1 of 5 done."


def test_what_a_student_does_to_the_data_reaches_no_check(small):
    for taken in (learn.table("small"), learn.table("small", "a")):
        taken.loc[:, "x"] = 0
    assert learn.table("small")["x"].tolist() == [1, 2]
    assert learn.table("small", "a").equals(learn.table("small", "a.csv"))
    with pytest.raises(ParameterError, match=r"no table 'b'; it has a\.csv"):
        learn.table("small", "b")
    with pytest.raises(ParameterError, match="no study file"):
        learn.study.__wrapped__("small")
    with pytest.raises(ParameterError, match="no picture 'x'"):
        learn.picture("small.x")


def test_what_there_is_not_is_refused_by_name():
    with pytest.raises(ParameterError, match="did you mean 'interval'"):
        learn.lesson("intervall")
    with pytest.raises(ParameterError, match="Nothing was planted"):
        learn.planted("hospital", "nothing")


def test_lessons_are_listed_and_copied_and_nobodys_answers_are_lost(tmp_path):
    told_ = CliRunner().invoke(main, ["lessons"]).output
    assert all(learn.lesson(name).title in told_ for name in learn.LESSONS)
    first = CliRunner().invoke(main, ["lessons", "--out", str(tmp_path / "mine")]).output
    copies = sorted((tmp_path / "mine").iterdir())
    assert len(copies) == len(learn.LESSONS) and first.split() == [str(path) for path in copies]
    copies[0].write_text("my answers", encoding="utf-8")
    again = CliRunner().invoke(main, ["lessons", "--out", str(tmp_path / "mine")]).output
    assert again.count("left as it is") == len(copies) and copies[0].read_text(encoding="utf-8") == "my answers"
    refused = CliRunner().invoke(main, ["lessons", "--out", str(copies[0])])
    assert refused.exit_code == 1 and "is a file; lessons need a folder" in refused.output


def test_each_lesson_has_its_place():
    numbers = [learn.lesson(name).number for name in learn.LESSONS]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize(("name", "which"), EXERCISES)
def test_an_exercise_knows_the_right_answer_and_each_mistake(name, which):
    exercise = learn.lesson(name).exercises[which]
    right = exercise.right()
    assert learn.check(f"{name}.{which}", right).state == "right"
    assert len(exercise.hints) >= 2 and exercise.mistakes
    assert alike(read(right, right, exercise.words), read(right, right), exercise.within)
    hints = [mistake.hint for mistake in exercise.mistakes]
    assert len(hints) == len(set(hints)), "each mistake has a hint of its own"
    for mistake in exercise.mistakes:
        value = mistake.value()
        assert not alike(read(value, right), read(right, right), exercise.within), f"this is right: {mistake.hint}"
        found = learn.check(f"{name}.{which}", value)
        assert (found.state, mistake.hint in found.words) == (told.MISTAKE, True), f"{value!r}: {found.words}"


@pytest.mark.parametrize(("name", "which"), EXERCISES)
def test_no_strange_answer_breaks_a_mistake(name, which):
    for value in (..., None, "?", float("nan"), -7.25, [1, 2], pd.DataFrame()):
        assert not learn.check(f"{name}.{which}", value).right


def test_the_data_tell_what_the_prose_says():
    """What a lesson's words suppose of its data, whatever the seed: a change of a world must not turn a story round."""
    from researchkit.learn import censoring, clusters, confounding, interval, raters, recovered, regression, reversal

    assert interval.verdict() == "cannot tell" and 90 <= interval.held() <= 99 and interval.apart() < 50
    assert interval.effect().high < -interval.effect().low, "the gain that is possible is the larger side"
    assert confounding.crude().high < 0 < confounding.fair().low and confounding.holds() == "fair"
    assert all(confounding.slope(problem=band) > 0 for band in confounding.BANDS)
    assert (
        raters.one().estimate > 1.5 * raters.two().estimate
        and raters.holds() == "two"
        and raters.tie(raters.alike()) > 0.1
    )
    assert reversal.against() == reversal.TURNED and reversal.left() < 0.75
    assert reversal.alpha(reversal.answers())[0] < 0.7 < reversal.alpha(reversal.answers(turned=True))[0]
    assert clusters.by("person").high < 0 < clusters.by("ward").high
    assert clusters.alarms() > 40 and 2 <= clusters.alarms("_ward") <= 18 and clusters.alike() < 0.25
    assert censoring.nearest() == "curve" and censoring.adjusted().low > 0
    assert regression.change(regression.worst()) < -4 and regression.change(regression.best()) > 4
    assert abs(regression.by_lot() - regression.DOES) < 1.5 and regression.course_change() < regression.by_lot() - 4
    assert recovered.word() == "too small to matter" and recovered.rise() > 2


def test_the_data_of_the_later_lessons_tell_what_their_prose_says():
    from researchkit.learn import definitions, many, mediation, small, staircase

    def share(low, high):
        return float(((definitions.shares() >= low) & (definitions.shares() < high)).mean())

    assert mediation.crude() > mediation.total() > mediation.effect("spending", "severity", "tenure").low > 0
    assert mediation.limits()[0] < 0 < mediation.direct() < mediation.total() / 2 < mediation.paths()["Indirect"]
    assert mediation.effect("overtime", whole=False).high < 0 and abs(mediation.spared("workload")) < 0.1
    assert staircase.head_start() > 0.3 and staircase.by_hand("early") < staircase.by_hand() / 2
    fair, truth = staircase.effect("training"), learn.planted("contact_centre_rollout", "training")
    assert fair.low < truth < fair.high and staircase.usual() < fair.low
    assert staircase.by_hand() < fair.estimate < staircase.naive()
    assert staircase.effect("policy").high < 0 and staircase.drift() < -0.2
    assert staircase.answer("policy").verdict.word == "cannot tell"
    assert many.alarms() >= 1 and many.winner() != "satisfaction" and many.once_more() > 0.05 < many.corrected()
    assert abs((many.thousand()["alarms"] > 0).mean() - many.chance()) < 0.05 < 0.5 < many.chance()
    assert any("20 questions" in mark for mark in many.marks(alone=False))
    assert [small.word(name) for name in small.sizes().index] == ["cannot tell", *["too small to matter"] * 2]
    assert small.effect().p > 0.05 and small.effect("few").p > 0.05 < small.both_tests()["p"]
    assert small.sizes()["high"].tolist()[-1] < 0, "the large study leaves out zero"
    assert definitions.over() - definitions.strictly() > 0.03 and definitions.agreeing() > 0.9
    assert share(0, 0.1) > 0 < share(0.9, 1) and share(0.35, 0.65) < min(share(0, 0.3), share(0.7, 1))
    assert definitions.over() - definitions.strictly() > definitions.over() - definitions.over(wave=3) > 0
    assert definitions.dearer() > 1.2 and definitions.gap() > 3
