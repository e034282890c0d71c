"""Lesson 13: from a claim to a locked plan, on a published survey; the plan is there before the answer."""

from __future__ import annotations

from typing import Any

from researchkit import protocol, wording
from researchkit.figures import Figure, interval
from researchkit.learn import desk
from researchkit.learn.desk import MODEL
from researchkit.learn.exercise import Exercise, Lesson, Mistake, Unreadable, read

EMPATHY = ("jspe", "qcae_cog", "qcae_aff", "amsp", "erec_mean")
STANDINGS = ("planned", "changed", "exploratory")
WORDS = ("supported", "contradicted", "too small to matter", "cannot tell")


def judged(given: Any) -> str:
    """A plan as an answer: the house's own where nothing is wrong with it, else what is."""
    if not isinstance(given, str):
        raise Unreadable("a text is asked for, between three quotes on either side.")
    return desk.fault(given) or str(read(MODEL, MODEL))


def other(old: str, new: str) -> str:
    """The house's plan with one thing otherwise."""
    return MODEL.replace(old, new)


def tested() -> frozenset[str]:
    """The measures of empathy that are not told by the students themselves."""
    study = desk.head()
    return frozenset(one for one in EMPATHY if study.source_of(one) != study.source_of("mbi_ex"))


def standing() -> str:
    """How the question stands to its plan, once its margin has been changed."""
    desk.seal()
    later = desk.with_margin(desk.mine(), desk.step() / 5)
    return protocol.standing(later, later.questions[0]).word


def shown() -> Figure:
    return interval(desk.answer())


def sent_back(name: str, old: str, new: str, hint: str) -> Mistake:
    """A plan with one known fault."""
    return Mistake(lambda: other(old, new), hint, made=lambda given: given == name)


EXERCISES = {
    "design": Exercise(
        asked="how students came to their empathy: randomised, rollout or observational.",
        right=lambda: desk.head().design,
        checked="the word, against the study file.",
        unchecked="what may be said with it. The house sees to that: *went with*, never more.",
        hints=("Did anybody decide who is empathic?", "Nobody drew lots, and nothing was introduced step by step."),
        mistakes=(
            Mistake(
                lambda: "randomised",
                "That would need a lot that decides who is empathic. These students were asked as they are.",
            ),
            Mistake(
                lambda: "rollout",
                "That would need something that began at different times in different places. They were asked once.",
            ),
        ),
        words=("randomised", "rollout", "observational"),
        told=lambda: (
            "Empathy may keep people from wearing out; wearing out may use up empathy; and something may do both. One"
            " questionnaire on one day cannot tell these apart."
        ),
    ),
    "tested": Exercise(
        asked="which of the five measures of empathy are not told by the students themselves. Give a list of names.",
        right=tested,
        checked="the names, by `source` in the study file.",
        unchecked="which measure is the best. They measure different things.",
        hints=(
            "Look at `source` of each column, in the codebook.",
            "One of them is a performance test: with right answers and wrong ones.",
        ),
        mistakes=(
            Mistake(
                lambda: {"jspe"},
                "That one is a questionnaire: students say of themselves how they see empathy in care.",
                made=lambda given: "jspe" in given,
            ),
            Mistake(
                lambda: set(EMPATHY) - {"jspe"},
                "Some of these are questionnaires, too. Which source stands behind them?",
                made=lambda given: len(given) > 1,
            ),
        ),
        words=EMPATHY,
        told=lambda: (
            "Whoever feels low may answer everything lower, about empathy and about exhaustion. With the test that"
            " cannot happen. The house marks the others: one source."
        ),
    ),
    "held": Exercise(
        asked="which of year, sex, cesd and mbi_cy may be held equal, to learn all that empathy goes with. Give a"
        " list.",
        right=desk.before,
        checked="the names, by the arrows of the study file.",
        unchecked="whether the arrows are right, and what is missing from them.",
        hints=(
            "Lesson eight: before, or after?",
            "Depressive symptoms and cynicism go with being worn out. What is left once they are held equal?",
            "Two of them were there first: how far somebody has come in the curriculum, and the other one.",
        ),
        mistakes=(
            Mistake(
                lambda: {"year", "sex", "mbi_cy"},
                "Cynicism is another side of burnout. Among students who are equally burnt out, who could be more so?",
                made=lambda given: "mbi_cy" in given,
            ),
            Mistake(
                lambda: {"year", "sex", "cesd"},
                "Depressive symptoms come with exhaustion or after it. Held equal, they take a part of it away.",
                made=lambda given: "cesd" in given,
            ),
            Mistake(
                lambda: {"year"},
                "One more stands before: it goes with how people answer both questionnaires.",
                made=lambda given: len(given) == 1,
            ),
        ),
        words=desk.CHOICES,
        told=lambda: "Before, and not after. That goes into the plan.",
    ),
    "step": Exercise(
        asked="how many points of the sum it makes if a student moves one step on one item.",
        right=desk.step,
        checked="the number: the range of the sum, over all steps of all items.",
        unchecked="whether less than that would be too small to matter to the students. Ask some.",
        hints=(
            "Five items, each answered from 1 to 6, are added up: the sum runs from 5 to 30.",
            "From the lowest sum to the highest, how many single steps does one take?",
        ),
        mistakes=(
            Mistake(
                lambda: desk.step() / desk.ITEMS,
                "That would be so for the mean of the items. Here they are added up.",
            ),
            Mistake(lambda: desk.step() * desk.ITEMS, "That is one step on every item."),
        ),
        told=lambda: (
            f"One step moves the sum by {wording.typed(desk.step())}. Whoever would not notice that would not notice"
            " less. It goes into the plan, before anybody has seen an answer."
        ),
    ),
    "question": Exercise(
        asked="your plan: one entry of a study file, as YAML, between three quotes.",
        right=lambda: MODEL,
        checked="that the house can read it; claim, exposure, outcome and its good side, what is held equal, the"
        " margin.",
        unchecked="title, step of the exposure, and what else you hold equal that stands before. Those are yours.",
        hints=(
            "Begin with `- id: care`, then `title`, `claim`, `exposure`, `outcome`, `adjust`, `smallest_effect`. The"
            " README has an example.",
            "`exposure: {column: jspe, per: 10}` and `outcome: {column: mbi_ex, kind: score, good: low, unit: point}`.",
            "`adjust: [year, sex]`, as in your third answer; `smallest_effect` is your fourth.",
        ),
        mistakes=(
            sent_back("claim", "BUR-1", "BUR-4", "It names another claim. The one at hand is BUR-1."),
            sent_back(
                "exposure",
                "jspe",
                "qcae_aff",
                "Another measure of empathy stands there. The plan says empathy in care: choosing among five"
                " afterwards is what a plan is against.",
            ),
            sent_back(
                "outcome", "mbi_ex", "mbi_cy", "Another side of burnout stands there. The claim is about exhaustion."
            ),
            sent_back(
                "after",
                "[year, sex]",
                "[year, sex, cesd]",
                "It holds something equal that comes after. See exercise 3.",
            ),
            sent_back(
                "before", "[year, sex]", "[year]", "Something that stands before is not held equal. See exercise 3."
            ),
            sent_back(
                "direction",
                "good: low",
                "good: high",
                "It says that much exhaustion is good, or that the claim is one for more of it.",
            ),
            sent_back("margin", "effect: 1", "effect: 0.2", "The margin is not that of exercise 4."),
        ),
        told=lambda: "The house can read it, and so can a reviewer. It is not locked yet.",
        reads=judged,
    ),
    "seal": Exercise(
        asked="the hash of your locked plan, a text that begins with sha256.",
        right=desk.seal,
        checked="that it is the hash of the last entry of the lock beside the study file.",
        unchecked="that nobody has looked at the data before. No hash can: these were published years ago.",
        hints=(
            "`protocol.lock(mine, ...)` gives it back. The second word says what of the data was at hand: the truth.",
            '`protocol.lock(mine, "the data were at hand")`',
        ),
        mistakes=(
            Mistake(
                lambda: str(desk.mine().sha256),
                "That is the hash of the study file, which changes with every comment. The hash of the choices is"
                " asked for.",
            ),
            Mistake(
                lambda: str(protocol.place_of(desk.mine())),
                "That is where the lock lies. What does the last entry say?",
            ),
        ),
        told=lambda: (
            "Deposit it where a date is kept (OSF, AsPredicted, an e-mail to your supervisor). From now on every"
            " report says whether it goes by this plan."
        ),
    ),
    "word": Exercise(
        asked="which of the four words the claim deserves by your plan.",
        right=lambda: desk.answer().verdict.word,
        checked="the word, by the rule of the house.",
        unchecked="whether it holds for other students, other measures, or for what one does in place of what one"
        " says.",
        hints=(
            "Where does the whole interval lie, beside the band?",
            "`answer.verdict.word`",
        ),
        mistakes=(
            Mistake(
                lambda: "supported",
                "That would need all of the interval on the claimed side of zero, and not all of it too small.",
            ),
            Mistake(
                lambda: "contradicted",
                "That would need all of the interval on the other side of zero, and not all of it too small.",
            ),
            Mistake(lambda: "cannot tell", "Is anything that would matter still inside the interval?"),
        ),
        words=WORDS,
        told=lambda: desk.answer().verdict.sentence,
    ),
    "changed": Exercise(
        asked="what the house says of the question once its margin has been changed: planned, changed or exploratory.",
        right=standing,
        checked="the word, by the lock.",
        unchecked="why it was changed. There are good reasons; they are to be told.",
        hints=(
            "The lock holds every choice of the question. Is the margin one of them?",
            "The question was planned, and is no longer as it was.",
        ),
        mistakes=(
            Mistake(lambda: "planned", "It was planned with another margin. The lock remembers which."),
            Mistake(
                lambda: "exploratory",
                "That is what a question is called that is not in the lock at all. This one is, with another margin.",
            ),
        ),
        words=STANDINGS,
        told=lambda: (
            "And the report says what differs, and since when. A question that was added afterwards would be"
            " exploratory: allowed, and marked."
        ),
    ),
}

LESSON = Lesson(
    13,
    "Are empathic students less exhausted?",
    "Decide what you ask, of whom, and what would matter, before you look; lock it; then stand by the answer.",
    60,
    EXERCISES,
    lambda: {"students.csv": desk.students()},
    pictures={"answer": shown},
)
