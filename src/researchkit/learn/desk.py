"""The desk of lesson 13: the published students (or made-up ones), and a study with the student's own plan."""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import protocol
from researchkit.causes import arrows
from researchkit.errors import ParameterError, ResearchkitError
from researchkit.learn import table
from researchkit.learn.exercise import Unreadable
from researchkit.simulate.draws import rating
from researchkit.study import Study, load_study
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.dataset import Dataset

PUBLISHED = Path("data/carrard_2022")
BESIDE = (
    PUBLISHED,
    Path(__file__).parents[3] / PUBLISHED,
)  # above the notebook, or in the checkout around this package
SEED, STUDENTS = 20220718, 880  # of those who are made up
HEAD = resources.files(__package__).joinpath("plan.yml").read_text(encoding="utf-8")
MODEL = """\
- id: care
  title: Are students with more empathy in care less exhausted?
  claim: BUR-1
  exposure: {column: jspe, per: 10}
  outcome: {column: mbi_ex, kind: score, good: low, unit: point}
  adjust: [year, sex]
  smallest_effect: 1
"""
CHOICES = ("year", "sex", "cesd", "mbi_cy")
ITEMS, STEPS = 5, 5  # of the exhaustion scale: five items of six answers each, added up

_desk: dict[str, Study] = {}  # the study that lies there


@cache
def published() -> Dataset | None:
    """The published survey, where it has been fetched (`researchkit data get carrard_2022`); else None."""
    from researchkit.dataset import load_dataset

    for place in BESIDE:
        try:
            return load_dataset(load_study(place))
        except ResearchkitError:
            continue
    return None


def students() -> pd.DataFrame:
    """The published survey, where it is at hand; else students who are made up, with the same columns."""
    found = published()
    return made_up() if found is None else found.frame[list(head().columns)]


def made_up() -> pd.DataFrame:
    """Students as such a survey might find them, of whom nobody was asked; empathy in care does nothing to them."""
    rng = np.random.default_rng(SEED)
    one, other, mood = rng.normal(size=(3, STUDENTS))
    year, sex = rng.integers(1, 7, STUDENTS), rng.choice([1, 2], STUDENTS, p=[0.3, 0.7])
    worn = 17.5 - 0.8 * (year - 3.5) + 0.8 * (sex - 1.7) + 5 * mood
    scores = {
        "jspe": rating(105 + 1.5 * (year - 3.5) + 2 * (sex - 1.7) + 8 * one, 20, 140),
        "qcae_cog": rating(58 + 2 * one + 6 * rng.normal(size=STUDENTS), 19, 76),
        "qcae_aff": rating(34 + 2 * (sex - 1.7) + 5 * other, 12, 48),
        "amsp": rating(23 + 5 * rng.normal(size=STUDENTS), 0, 35),
        "erec_mean": rating(0.72 + 0.09 * rng.normal(size=STUDENTS), 0, 1, 0.01),
        "cesd": rating(18 + 7 * mood + 8 * rng.normal(size=STUDENTS), 0, 60),
        "mbi_ex": rating(worn + other, 5, 30),
        "mbi_cy": rating(10 + 2 * mood + 4 * rng.normal(size=STUDENTS), 4, 24),
    }
    ages = rating(18.5 + year + rng.gamma(1.5, 1.2, STUDENTS), 16, 60)
    return pd.DataFrame({"id": np.arange(STUDENTS), "age": ages, "year": year, "sex": sex, **scores})


def whose() -> Prose:
    """Whose answers these are: said before anything is made of them."""
    found = published()
    if found is None:
        words = (
            "These students are made up: nobody was asked, and nothing here is a finding. The published table is not"
            " at hand. The command “researchkit data get carrard_2022”, run in the folder of the toolkit, fetches it;"
            " then begin again with a fresh kernel."
        )
        return Prose((words,))
    source = found.study.source
    return Prose((f"These students were asked. {source.citation if source else ''}".strip(),))


def codebook() -> Table:
    """What each column holds, and who says so: all that a plan needs to know of the data."""
    columns = head().columns.items()
    rows = [{"Column": name, "Holds": one.label or "", "Told by": one.source or ""} for name, one in columns]
    return frame(pd.DataFrame(rows), "The codebook")


def written(text: str, folder: Path) -> Study:
    """The study with the question of `text`, in a folder."""
    simulated = "" if published() is not None else "simulated: true\n"
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "study.yml").write_text(f"questions:\n{lines}{simulated}{HEAD}", encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"{folder} cannot be written: {error.strerror}. Name another folder.") from None
    return load_study(folder)


@cache
def head() -> Study:
    """The study with the house's own plan, for its codebook and its arrows."""
    return fresh(MODEL)


def fresh(text: str) -> Study:
    """The study in a folder that goes when Python does."""
    folder = Path(tempfile.mkdtemp(prefix="researchkit-lesson-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return written(text, folder)


@cache
def laid(text: str, place: str) -> Study:
    made = written(text, Path(place)) if place else fresh(text)
    table("plan").to_csv(made.folder / "students.csv", index=False)
    return made


def lay(text: Any = ..., place: str = "") -> Study:
    """A study of the student's own, with its data, in the folder `place`; until its plan is right, the house's plan.

    Parameters
    ----------
    text
        The question as YAML, a list of one entry. `...`, or a plan that the check would send back, gives the house's.
    place
        A folder of the student's; empty for one that goes when Python does.
    """
    try:
        sound = isinstance(text, str) and not fault(text)
    except Unreadable:
        sound = False
    _desk["study"] = laid(text if sound else MODEL, place)
    return _desk["study"]


def fault(text: str) -> str:
    """The first thing that is wrong with a plan, in a word; empty where nothing is.

    Raises
    ------
    Unreadable
        If it is no entry of a study file; with what the house says of it.
    """
    if not text.lstrip().startswith("- "):
        raise Unreadable("one entry of a list is asked for. It begins with a dash: `- id: care`.")
    try:
        study = fresh(text)
    except ResearchkitError as error:
        said = re.sub(r"\S*study\.yml", "your plan", str(error))
        said = re.sub(r"\bline (\d+)", lambda found: f"line {int(found[1]) - 1}", said)  # the first is `questions:`
        raise Unreadable(f"the house cannot read it. {said}") from None
    if len(study.questions) != 1:
        raise Unreadable(f"one question is asked for; there are {len(study.questions)} here.")
    one = study.questions[0]
    found = {
        "claim": one.claim != "BUR-1",
        "exposure": one.exposure.column != "jspe",
        "outcome": one.outcome.column != "mbi_ex",
        "after": bool({"cesd", "mbi_cy"} & set(one.adjust)),
        "before": not before() <= set(one.adjust),
        "direction": (one.outcome.good, one.expect) != ("low", "better"),
        "margin": one.smallest_effect != step(),
    }
    return next((name for name, wrong in found.items() if wrong), "")


@cache
def before() -> frozenset[str]:
    """What the arrows have standing before empathy in care, or beside it, and acting on exhaustion."""
    import networkx as nx

    graph = arrows(head())
    later = nx.descendants(graph, "jspe")
    return frozenset(one for one in CHOICES if one in nx.ancestors(graph, "mbi_ex") and one not in later)


def step() -> float:
    """One step on one item, in points of the sum."""
    low, high = head().columns["mbi_ex"].range or (0, 0)
    return float(high - low) / (ITEMS * STEPS)


def mine() -> Study:
    return _desk.get("study") or lay()


def seal() -> str:
    """The hash of the plan on the desk; a plan that nobody has locked is locked by asking."""
    return protocol.lock(mine(), "the data were at hand")


@cache
def answered(folder: str, sha256: str) -> Answer:
    from researchkit.answer import answer_question

    study = load_study(folder)
    return answer_question(study, study.questions[0])


def answer() -> Answer:
    return answered(str(mine().folder), str(mine().sha256))


def with_margin(study: Study, margin: float) -> Study:
    """The study as somebody would like it once the answer is known: the same, with another smallest effect."""
    asked = (study.questions[0].model_copy(update={"smallest_effect": margin}), *study.questions[1:])
    return study.model_copy(update={"questions": asked})
