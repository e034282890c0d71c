"""Lessons: exercises that are checked, and say what they check.

    from researchkit import learn

    people = learn.table("interval")            # the lesson's data, a fresh copy
    study = learn.study("interval")             # the same as a study, for the rest of the toolkit
    learn.check("interval.difference", -2.9)    # right, a known mistake, not this, or not yet
    learn.hint("interval.difference")           # the next hint, each plainer than the last
    learn.picture("interval.hundred")           # what one should see
    learn.progress("interval")                  # what is done

A lesson is a module of this room named in `LESSONS`, with one value `LESSON` (a `Lesson` of `exercise`), and a notebook
`notebooks/lessons/NN_name.ipynb`. Its exercises are data and small functions: `right` computes the answer from the
lesson's data or from what was planted in its world, `mistakes` what one arrives at when going wrong in a known way. No
answer is typed. `check` takes whatever a student gives it: an answer of another kind is told so, and raises nothing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from researchkit import simulate
from researchkit.errors import ParameterError
from researchkit.faults import nearest
from researchkit.learn import told
from researchkit.learn.exercise import Exercise, Lesson, Mistake, Unreadable, alike, read
from researchkit.learn.notebooks import copy
from researchkit.learn.told import Told

if TYPE_CHECKING:
    import pandas as pd

    from researchkit.figures import Figure
    from researchkit.study import Study
    from researchkit.tables import Table

__all__ = [
    "LESSONS",
    "Exercise",
    "Lesson",
    "Mistake",
    "Told",
    "check",
    "copy",
    "hint",
    "lesson",
    "picture",
    "planted",
    "progress",
    "study",
    "table",
    "truth",
]

LESSONS = (  # modules of this room, in the order of their notebooks
    "interval",
    "confounding",
    "raters",
    "reversal",
    "clusters",
    "censoring",
    "regression",
    "mediation",
    "staircase",
    "many",
    "small",
    "definitions",
    "plan",
)

_given: dict[str, int] = {}  # hints that were given in this process
_done: dict[str, bool] = {}  # exercises that were right


def lesson(name: str) -> Lesson:
    """The lesson of the module `name`.

    Raises
    ------
    ParameterError
        If there is no such lesson.
    """
    if name not in LESSONS:
        raise ParameterError(
            f"There is no lesson {name!r}{nearest(str(name), LESSONS)}; there are {', '.join(LESSONS)}."
        )
    found: Lesson = import_module(f"{__name__}.{name}").LESSON
    return found


def table(name: str, file: str | None = None) -> pd.DataFrame:
    """A lesson's data: a fresh copy, so that nothing a student does to it reaches the checks.

    Parameters
    ----------
    name
        The lesson's module.
    file
        Which of its tables, where it has several: the file's name, with or without its ending. The first by default.
    """
    frames = _tables(name)
    if file is None:
        return next(iter(frames.values())).copy()
    names = {key.rsplit(".", 1)[0]: key for key in frames} | {key: key for key in frames}
    if file not in names:
        raise ParameterError(f"The lesson {name!r} has no table {file!r}; it has {', '.join(frames)}.")
    return frames[names[file]].copy()


@cache
def study(name: str) -> Study:
    """A lesson's data as a study, written to a folder that goes when Python does."""
    from researchkit.learn.worlds import write
    from researchkit.study import load_study

    one = lesson(name)
    if not one.study:
        raise ParameterError(f"The lesson {name!r} has no study file; `learn.table({name!r})` gives its data.")
    return load_study(write(one, _tables(name)))


def planted(world: str, question: str) -> float:
    """What is true of a question in a world, in the outcome's own unit: the number of `rk.simulate.truth`."""
    from researchkit.learn import worlds

    if question not in {one.question for one in simulate.PLANTED.get(world, ())}:
        raise ParameterError(f"Nothing was planted for the question {question!r} of a world {world!r}.")
    return worlds.planted(world, question)


def truth(name: str) -> float:
    """What is true in a lesson's world, where the lesson says so."""
    known = lesson(name).truth
    if known is None:
        raise ParameterError(f"The lesson {name!r} has no truth of its own; `learn.planted` has those of the worlds.")
    return known()


def picture(name: str) -> Figure:
    """What one should see: `picture("LESSON.PICTURE")`."""
    of, _, which = name.partition(".")
    pictures = lesson(of).pictures
    if which not in pictures:
        raise ParameterError(f"The lesson {of!r} has no picture {which!r}; it has {', '.join(pictures)}.")
    return pictures[which]()


def check(name: str, value: Any = ...) -> Told:
    """Hold an answer against the right one.

    Parameters
    ----------
    name
        The exercise, as `LESSON.EXERCISE`.
    value
        Whatever the student has; `...` and None say "not yet".

    Returns
    -------
    Told
        With `state` "not yet", "right", "a known mistake" or "not this"; shown in a notebook, and text elsewhere. An
        answer of a wrong kind, and a name that there is not, are told; nothing is raised for them.
    """
    exercise = _exercise(name)
    if isinstance(exercise, Told):
        return exercise
    if value is ... or value is None:
        told_ = Told(name, told.NOT_YET, f"Not yet: {exercise.asked}", _more(name, exercise))
    else:
        told_ = _judged(name, exercise, value)
    _done[name] = told_.right
    return told_


def hint(name: str) -> Told:
    """The next hint of an exercise; after the last one it is said again."""
    exercise = _exercise(name)
    if isinstance(exercise, Told):
        return exercise
    place = min(_given.get(name, 0), len(exercise.hints) - 1)
    _given[name] = place + 1
    last = "" if place + 1 < len(exercise.hints) else " That was the last one; the worked answer is folded away below."
    head = f"Hint {place + 1} of {len(exercise.hints)}: "
    return Told(name, told.HINT, head + exercise.hints[place] + last)


def progress(name: str) -> Table:
    """Which exercises of a lesson were right when they were last checked."""
    from researchkit.tables import Col, Table

    one = lesson(name)
    rows = [
        (key, exercise.asked, "done" if _done.get(f"{name}.{key}") else "–") for key, exercise in one.exercises.items()
    ]
    done = sum(row[2] == "done" for row in rows)
    note = "All done." if done == len(rows) else f"{done} of {len(rows)} done."
    return Table(f"Where you are: {one.title}", (Col("Exercise"), Col("Asks"), Col("")), tuple(rows), note)


def _judged(name: str, exercise: Exercise, value: Any) -> Told:
    right = exercise.right()
    try:
        answer = exercise.reads(value) if exercise.reads else read(value, right, exercise.words)
    except Unreadable as error:
        return Told(name, told.OTHER, f"Not this: {error}", (("Asked", exercise.asked),))
    except Exception:  # whatever a stranger's object does when it is looked at
        return Told(name, told.OTHER, "Not this: it cannot be read as an answer.", (("Asked", exercise.asked),))
    if alike(answer, read(right, right), exercise.within):
        words = f"Right. {exercise.told() if exercise.told else ''}".strip()
        return Told(name, told.RIGHT, words, _more(name, exercise, done=True))
    for mistake in exercise.mistakes:
        if _is(mistake, answer, right, exercise):
            return Told(name, told.MISTAKE, f"Not this, but many do it. {mistake.hint}", _more(name, exercise))
    return Told(name, told.OTHER, f"Not this. {_usual(answer, right, exercise.within)}".strip(), _more(name, exercise))


def _is(mistake: Mistake, answer: Any, right: Any, exercise: Exercise) -> bool:
    if mistake.made is not None:
        return bool(mistake.made(answer))
    return alike(answer, read(mistake.value(), right), exercise.within)


def _usual(answer: Any, right: Any, within: float) -> str:
    """What goes wrong everywhere: the other sign, per cent in place of shares."""
    if isinstance(right, bool) or not isinstance(answer, float):
        return ""
    if alike(-answer, right, within):
        return "The size is right and the sign is not: what is taken from what?"
    if alike(answer / 100, right, within):
        return "This looks like per cent; a share between 0 and 1 is asked for."
    if alike(answer * 100, right, within):
        return "This looks like a share; it is asked for in per cent."
    return ""


def _more(name: str, exercise: Exercise, done: bool = False) -> tuple[tuple[str, str], ...]:
    seen = (("Checked", exercise.checked), ("Not checked", exercise.unchecked))
    return seen if done else (*seen, ("Stuck?", f'`learn.hint("{name}")` gives a hint, and then the next.'))


def _exercise(name: str) -> Exercise | Told:
    """The exercise of a name; what to say when there is none."""
    of, _, which = str(name).partition(".")
    if of not in LESSONS:
        words = f"There is no lesson {of!r}{nearest(of, LESSONS)}. An exercise is named LESSON.EXERCISE."
        return Told(str(name), told.OTHER, words)
    exercises = lesson(of).exercises
    if which not in exercises:
        words = f"The lesson {of!r} has no exercise {which!r}; it has {', '.join(exercises)}."
        return Told(str(name), told.OTHER, words)
    return exercises[which]


@cache
def _tables(name: str) -> dict[str, pd.DataFrame]:
    return lesson(name).tables()
