"""Lesson 8: what lies on the way is no confounder. Trust, held equal, hides what kindness does by earning it."""

from __future__ import annotations

from functools import cache
from importlib import resources

import pandas as pd

from researchkit import wording
from researchkit.causes import arrows
from researchkit.estimators import Effect, estimate
from researchkit.figures import Figure, forest
from researchkit.learn import study
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import planted
from researchkit.simulate import contact_centre_trust, hospital_meaning, simulate

SEED = 20251101
CHOICES = ("severity", "tenure", "trust", "share_of_spending")
BEHIND = ("workload", "helpful", "stress_before")
SLEEP = (
    ("training", "sleep"),
    ("sleep", "errors"),
    ("training", "errors"),
    ("shift", "sleep"),
    ("shift", "training"),
    ("shift", "errors"),
)
STUDY = resources.files(__package__).joinpath("mediation.yml").read_text(encoding="utf-8")


def tables() -> dict[str, pd.DataFrame]:
    """Contacts whose customers said how far they trust us, so that every line is about the same ones; and staff."""
    found = simulate("contact_centre_trust", rows=contact_centre_trust.ROWS, seed=SEED)["contacts.csv"]
    columns = ["customer_id", "agent_id", "severity", "tenure", "compassion", "trust", "share_of_spending"]
    staff = simulate("hospital_meaning", rows=hospital_meaning.ROWS, seed=SEED)["staff.csv"]
    people = ["staff_id", "ward", *BEHIND, "connection", "meaning", "overtime"]
    return {"contacts.csv": found[columns].dropna().astype({"trust": int}), "staff.csv": staff[people]}


@cache
def effect(question: str, *adjust: str, whole: bool = True) -> Effect:
    """The whole difference with `adjust` held equal; else the part by way of the mediator."""
    from researchkit.dataset import load_dataset

    asked = study("mediation")
    one = asked.question(question)
    return estimate(load_dataset(asked, asked.table_of(one)), one.plain if whole else one, adjust=adjust)


def crude() -> float:
    return effect("spending").estimate


def total() -> float:
    return effect("spending", "severity", "tenure").estimate


def direct() -> float:
    return effect("spending", "severity", "tenure", "trust").estimate


def truth() -> float:
    """All that a point of compassion does to spending: what is planted by way of trust, and past it."""
    past = contact_centre_trust.SLOPES["spending"]["compassion"]
    return planted("contact_centre_trust", "trust_spending") + past


def paths() -> dict[str, float]:
    """What the model of the mechanism holds, by the first words of each."""
    terms = effect("spending", "severity", "tenure", whole=False).model.terms
    return {term.term.partition(":")[0]: term.estimate for term in terms}


def spared(*adjust: str) -> float:
    """Hours of overtime that seem to be spared by way of meaning."""
    return effect("overtime", *adjust, whole=False).estimate


def before() -> set[str]:
    """What the arrows of the study file have standing before compassion, or beside it, and acting on spending."""
    import networkx as nx

    graph = arrows(study("mediation"))
    later = nx.descendants(graph, "compassion")
    return {one for one in CHOICES if one in nx.ancestors(graph, "share_of_spending") and one not in later}


def shared() -> str:
    """What acts on training and on errors, in the arrows of the last story."""
    import networkx as nx

    graph = nx.DiGraph(SLEEP)
    (one,) = nx.ancestors(graph, "training") & nx.ancestors(graph, "errors")
    return str(one)


def three() -> Figure:
    adjusted = (("Nothing held equal", ()), ("Severity and tenure", ("severity", "tenure")))
    rows = [
        (name, effect("spending", *held))
        for name, held in (*adjusted, ("Trust as well", ("severity", "tenure", "trust")))
    ]
    return forest(
        [(name, one.estimate, one.low, one.high) for name, one in rows],
        title="One question, three ways to hold things equal",
        unit="percentage points of spending, for a point of compassion",
        highlight=1,
        name="mediation-three",
        caption="The last line is no better version of the one above it: it answers another question.",
    )


def behind() -> Figure:
    rows = [("Nothing held equal", effect("overtime", whole=False))]
    rows += [(f"Held equal: {one.replace('_', ' ')}", effect("overtime", one, whole=False)) for one in BEHIND]
    return forest(
        [(name, one.estimate, one.low, one.high) for name, one in rows],
        title="Overtime by way of meaning",
        unit="hours, for a point of connection",
        name="mediation-behind",
    )


EXERCISES = {
    "before": Exercise(
        asked="which of severity, tenure, trust and share_of_spending may be held equal, if Ines wants to know all that"
        " compassion does to spending. Give a list of names.",
        right=before,
        checked="the names, by the arrows of the study file: what stands before the call and acts on spending.",
        unchecked="whether the arrows are true. Data alone cannot draw them; people who know the work do.",
        hints=(
            "Put the four on a line of time. Where on it is the call?",
            "What comes after the call may be the call's own work. Holding it equal takes that work away.",
            "Two stand before the call: the problem that the customer has, and how long he or she has been one.",
        ),
        mistakes=(
            Mistake(
                lambda: {"severity", "tenure", "share_of_spending"},
                "Share of spending is the outcome itself. Among customers who spend alike, nothing is left to explain.",
                made=lambda answer: "share_of_spending" in answer,
            ),
            Mistake(
                lambda: {"severity", "tenure", "trust"},
                "Trust was asked two weeks after the call. If kindness earns it, then it is part of what kindness"
                " does.",
                made=lambda answer: "trust" in answer,
            ),
            Mistake(
                lambda: {"severity"},
                "Severity is the one that must not be missing. Another one stands before the call, too, and acts on"
                " spending: no harm, and a narrower interval.",
            ),
            Mistake(
                lambda: {"tenure"},
                "Hard problems make tense calls, and they cost trust and spending. Which column holds that?",
                made=lambda answer: "severity" not in answer,
            ),
        ),
        words=CHOICES,
        told=lambda: "What stands before may be held equal. What comes after is where the effect lives.",
    ),
    "total": Exercise(
        asked="by how many percentage points spending is higher for a point more of compassion, with what may be"
        " held equal held equal.",
        right=total,
        checked="the number, to about two digits.",
        unchecked="whether these columns are all that stands behind both. No column can tell.",
        hints=(
            "`rk.estimate(contacts, asked, adjust=[...])` gives an effect; `.estimate` is its number.",
            "The names in the list are those of the exercise before.",
            '`rk.estimate(contacts, asked, adjust=["severity", "tenure"]).estimate`',
        ),
        mistakes=(
            Mistake(
                crude,
                "Nothing is held equal here. Easy problems make kind calls and keep customers spending, so this"
                " number is partly about the problems.",
            ),
            Mistake(
                direct,
                "Trust is held equal here, too: you compare customers who trust alike. What kindness does by earning"
                " trust is gone.",
            ),
            Mistake(
                lambda: paths()["Indirect"],
                "That is the part that goes by way of trust. All of it is asked for: use the plain question.",
            ),
        ),
        told=lambda: (
            f"{wording.number(total())} points, against {wording.number(crude())} with nothing held equal. In this"
            f" world the truth is known: {wording.number(truth())}."
        ),
    ),
    "direct": Exercise(
        asked="what is left of it once trust is held equal as well.",
        right=direct,
        checked="the number, to about two digits.",
        unchecked="what you make of it. That is the next exercise.",
        hints=(
            "The same line once more, with one name more in the list.",
            '`rk.estimate(contacts, asked, adjust=["severity", "tenure", "trust"]).estimate`',
        ),
        mistakes=(
            Mistake(total, "That is the number of the exercise before. Is trust in your list?"),
            Mistake(
                lambda: effect("spending", "trust").estimate,
                "Trust alone is in your list. Severity and tenure are still to be held equal.",
            ),
            Mistake(
                lambda: paths()["Indirect"],
                "That is what goes by way of trust. What goes past it is asked for.",
            ),
        ),
        told=lambda: (
            f"{wording.number(direct())} points, and the interval reaches from {wording.interval(*limits())}. This is"
            " Marek's number. It is computed without a mistake."
        ),
    ),
    "through": Exercise(
        asked="how many percentage points go by way of trust.",
        right=lambda: paths()["Indirect"],
        checked="the number, to about two digits.",
        unchecked="whether something else moved trust and spending together. The second half of the lesson is about"
        " that.",
        hints=(
            "You have all of it, and what is left without trust.",
            "What has gone is what went by way of trust: take the one from the other.",
            "Or in one line, with its interval: `rk.estimate(contacts, way)`, for `way` names trust as the mediator.",
        ),
        mistakes=(
            Mistake(total, "That is all of it, by whatever way."),
            Mistake(direct, "That is what goes *past* trust."),
            Mistake(
                lambda: paths()["First path"],
                "That is what a point of compassion adds to trust, in points of trust. How much spending is that?",
            ),
            Mistake(
                lambda: paths()["Second path"],
                "That is what one point of trust goes with. How many points of trust does compassion add?",
            ),
            Mistake(
                lambda: paths()["Indirect"] / total(),
                "That is the share of the total. The points are asked for.",
            ),
            Mistake(
                lambda: crude() - direct(),
                "You began with the number that holds nothing equal, so the problems' share is in it, too.",
            ),
        ),
        told=lambda: (
            f"{wording.number(paths()['Indirect'])} of {wording.number(total())} points:"
            f" {wording.percent(paths()['Indirect'] / total(), 0)} of what kindness does goes by way of trust. Planted"
            f" were {wording.number(planted('contact_centre_trust', 'trust_spending'))}."
        ),
    ),
    "seems": Exercise(
        asked="how many hours of overtime a point of connection seems to spare by way of meaning, with nothing held"
        " equal. Less overtime is below zero.",
        right=spared,
        checked="the number, to about two digits, and its sign.",
        unchecked="whether any of it is true.",
        hints=(
            "`hours` names meaning as the mediator, and holds nothing equal.",
            "`rk.estimate(staff, hours).estimate`",
        ),
        mistakes=(
            Mistake(
                lambda: effect("overtime").estimate,
                "That is all that goes with connection. The part by way of meaning is asked for: `hours`, not"
                " `hours.plain`.",
            ),
            Mistake(lambda: spared("workload"), "Something is held equal already. First look without."),
        ),
        told=lambda: (
            f"{wording.number(abs(spared()))} hours, and the interval leaves out zero. It looks like a mechanism."
        ),
    ),
    "behind": Exercise(
        asked="which one column, held equal, makes that way vanish: workload, helpful or stress_before.",
        right=lambda: min(BEHIND, key=lambda one: abs(spared(one))),
        checked="the name of the column that leaves least by way of meaning.",
        unchecked="what else may stand behind meaning and overtime, and was never written down.",
        hints=(
            "Try each: `rk.estimate(staff, hours, adjust=[NAME]).estimate`.",
            "Which of the three makes people stay late, *and* makes their work feel like less?",
        ),
        mistakes=(
            Mistake(
                lambda: "helpful",
                "Helpful people connect more and find more meaning. But do they go home earlier? Look at what is left.",
            ),
            Mistake(
                lambda: "stress_before",
                "Close: stress is raised by the same thing, so part of the way goes. Something stands further back.",
            ),
        ),
        words=BEHIND,
        told=lambda: (
            f"With workload held equal {wording.fixed(abs(spared('workload')), 2)} hours are left, and in this world"
            f" the truth is {wording.typed(planted('hospital_meaning', 'meaning_overtime'))}. A heavy load lowers"
            " meaning and makes hours long; nobody gave meaning out by lot."
        ),
    ),
    "sleep": Exercise(
        asked="which one of shift, sleep and errors must be held equal, to learn all that the training does to errors.",
        right=shared,
        checked="the name, by the arrows of the story.",
        unchecked="nothing else: the story says all that there is.",
        hints=(
            "What stands before the training, and what after it?",
            "Night shifts get less training, sleep less, and make more errors.",
        ),
        mistakes=(
            Mistake(
                lambda: "sleep",
                "Sleep is the way by which the training works. Among nurses who sleep alike, that work cannot be seen.",
            ),
            Mistake(lambda: "errors", "Errors are the outcome. Held equal, nothing is left to explain."),
        ),
        words=("shift", "sleep", "errors"),
        told=lambda: "Before: hold it equal. On the way: leave it free. That is the whole lesson.",
    ),
}


def limits() -> tuple[float, float]:
    one = effect("spending", "severity", "tenure", "trust")
    return one.low, one.high


LESSON = Lesson(
    8,
    "Is it kindness, or is it trust?",
    "What lies on the way from cause to outcome is part of the effect. Held equal, it hides the effect.",
    45,
    EXERCISES,
    tables,
    STUDY,
    {"three": three, "behind": behind},
)
