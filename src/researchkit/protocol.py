"""The plan of a study in words, locked with its hash before the data, and what has changed since.

The lock is a file beside the study file. Each time a plan is locked an entry is added that seals those before it, so
that nothing can be taken back without its being seen; the hash of the last entry is what to deposit elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from researchkit import wording
from researchkit.claims import claim
from researchkit.errors import StudyError, some
from researchkit.parts import Outcome, Part, Question
from researchkit.study import Study

LOCK = "plan.lock"
UNPLANNED = "exploratory: not planned before the data were seen"
LABELS = {"label", "title", "note"}  # words for people, not choices
ENTRY = ("locked", "data", "questions", "before")  # what an entry's hash seals
EXPECTED = {
    "better": "better outcomes with more of the exposure",
    "worse": "worse outcomes with more of the exposure (a claim against)",
    "equal": "no difference that matters",
    "not worse": "outcomes that are not worse by the smallest effect that matters (non-inferiority)",
}
METHODS = {
    "score": "difference in means by least squares",
    "change": "difference in means at the end, given the baseline (analysis of covariance)",
    "yes_no": "difference in risk by logistic regression, averaged over the people",
    "ordered": "difference in the share of the top answers by proportional odds, averaged over the people",
    "counts": "difference in rates by Poisson regression, averaged over the people",
    "duration": "difference in mean time up to the horizon by Cox regression, averaged over the people",
}


@dataclass(frozen=True)
class Standing:
    """How a question stands to the locked plan.

    `word` is "planned" (as locked), "changed", or "exploratory"; without a lock what the study file says of itself.
    `locked` is the date of the entry that first held the question, and `sha256` the hash of the last entry; both are
    empty without a lock. `changes` says what differs from that first entry, and `amended` when a later one took it up.
    """

    word: str
    locked: str = ""
    sha256: str = ""
    changes: tuple[str, ...] = ()
    amended: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As it stands in `result.json`."""
        return {
            "word": self.word,
            "words": self.words,
            "locked": self.locked or None,
            "sha256": self.sha256 or None,
            "changes": list(self.changes),
            "amended": self.amended or None,
        }

    @property
    def mark(self) -> str:
        """What weakens the answer, or nothing."""
        if self.word == "exploratory":
            since = (
                f"not in the plan locked on {self.locked}" if self.locked else "not planned before the data were seen"
            )
            return f"exploratory: {since}"
        if self.word != "changed":
            return ""
        taken = f"; the change was locked on {self.amended}" if self.amended else ""
        return f"changed: not as locked on {self.locked} ({some(self.changes, 3)}){taken}"

    @property
    def words(self) -> str:
        """For the head of a page."""
        if self.word == "planned":
            return f"planned: as locked on {self.locked}" if self.locked else "planned, as its author says; not locked"
        return self.mark.partition(" (")[0]


def standing(study: Study, question: Question) -> Standing:
    """How one question stands to the plan that was locked; by the study file's own word where none was.

    Raises
    ------
    StudyError
        If the lock has been altered, or cannot be read.
    """
    entries = held(study)
    if not entries:
        return Standing("planned" if question.planned else "exploratory")
    # What the data have settled since, such as the level of an arm, is no change of the plan.
    question = next((one for one in study.questions if one.id == question.id), question)
    seal, now = entries[-1]["sha256"], chosen(study, question)
    holding = [entry for entry in entries if question.id in entry["questions"]]
    if not holding or not question.planned:
        return Standing("exploratory", day(entries[0]), seal)
    changes = tuple(differences(holding[0]["questions"][question.id], now))
    if not changes:
        return Standing("planned", day(holding[0]), seal)
    later = [day(entry) for entry in holding[1:] if not list(differences(entry["questions"][question.id], now))]
    return Standing("changed", day(holding[0]), seal, changes, later[0] if later else "")


def dropped(study: Study) -> tuple[str, ...]:
    """Questions of the locked plan that the study no longer asks."""
    asked = {question.id for question in study.questions}
    entries = held(study)
    return tuple(dict.fromkeys(id for entry in entries for id in entry["questions"] if id not in asked))


def lock(study: Study, data: str) -> str:
    """Lock the plan as it stands now; the hash to deposit. A plan that is locked already, and unchanged, stays.

    Parameters
    ----------
    data
        In words, what of the data was at hand at this moment; kept with the entry, and told with the plan.
    """
    entries = held(study)
    questions = {question.id: chosen(study, question) for question in study.questions if question.planned}
    if entries and entries[-1]["questions"] == questions:
        return str(entries[-1]["sha256"])
    told = {
        "locked": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": data,
        "questions": questions,
        "before": entries[-1]["sha256"] if entries else "",
    }
    entries = [*entries, {**told, "sha256": sealed(told)}]
    place, aside = study.folder / LOCK, study.folder / f".{LOCK}"
    try:
        aside.write_text(json.dumps(entries, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
        aside.replace(place)
    except OSError as error:
        raise StudyError(f"{place} cannot be written: {error.strerror}.") from None
    return str(entries[-1]["sha256"])


def held(study: Study) -> list[dict[str, Any]]:
    """The entries of the lock, from the first to the last; none where nothing was locked."""
    place = study.folder / LOCK
    try:
        entries = json.loads(place.read_text(encoding="utf-8"))
        before = ""
        for number, entry in enumerate(entries, 1):
            if entry["before"] != before or sealed(entry) != entry["sha256"]:
                raise StudyError(
                    f"{place}: entry {number} is not as it was locked. Put back the file from your records."
                )
            before = entry["sha256"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, TypeError):
        raise StudyError(f"{place} is not what `researchkit plan --lock` wrote. Put the file back as it was.") from None
    return list(entries)


def sealed(entry: Mapping[str, Any]) -> str:
    """The hash of what an entry says, and of all before it."""
    told = json.dumps({name: entry[name] for name in ENTRY}, ensure_ascii=False, sort_keys=True)
    return f"sha256:{hashlib.sha256(told.encode()).hexdigest()}"


def day(entry: Mapping[str, Any]) -> str:
    return str(entry["locked"])[:10]


def chosen(study: Study, question: Question) -> dict[str, Any]:
    """Every choice that can move the answer to a question: its own, and those of the parts that it names.

    The files are no choice: a plan is locked before they come.
    """
    columns = {*question.columns, *(name for one in study.alternatives.values() for name in one.adjust or ())}
    scales = {name: stored(study.scales[name], exclude={"across"}) for name in sorted(columns) if name in study.scales}
    events = {name: stored(study.events[name]) for name in sorted(columns) if name in study.events}
    columns |= {item for name in scales for item in study.scales[name].items}
    columns |= {column for name in events for column in study.events[name].columns}
    made = study.heard_in(study.table_of(question))
    heard = {name: stored(study.transcripts[name]) for name in sorted({made[one] for one in columns if one in made})}
    table = study.tables[study.table_of(question)]
    parts = {
        **stored(question, exclude={"planned", "alternatives"}),
        "design": study.design_of(question),
        "clusters": list(study.clusters_of(question)),
        "table": {**stored(table, include={"people", "keep"}), "name": study.table_of(question)},
        "alternatives": {name: stored(study.alternatives[name]) for name in question.alternatives},
        "scales": scales,
        "events": events,
        "transcripts": heard,
        "columns": {name: stored(study.columns[name]) for name in sorted(columns) if name in study.columns},
    }
    return dict(without_words(parts))


def stored(part: Part, **which: set[str]) -> dict[str, Any]:
    """A part of the study file as its author wrote it: a default that a later version brings is no change of a plan."""
    return part.model_dump(mode="json", exclude_defaults=True, **which)  # type: ignore[arg-type]


def without_words(value: Any) -> Any:
    """The same without labels and without what is left at its default of nothing."""
    if isinstance(value, dict):
        kept = {key: without_words(item) for key, item in value.items() if key not in LABELS}
        return {key: item for key, item in kept.items() if item not in (None, [], {}, "")}
    return [without_words(item) for item in value] if isinstance(value, list | tuple) else value


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """What one set of choices has otherwise than another, in the words of the study file."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from differences(old.get(key), new.get(key), f"{at}: {key}" if at else str(key))
    elif isinstance(old, list | None) and isinstance(new, list | None) and (old or new):
        gone = [_said(item) for item in old or [] if item not in (new or [])]
        come = [_said(item) for item in new or [] if item not in (old or [])]
        if gone or come:
            yield f"{at}: " + ", ".join([f"{item} taken out" for item in gone] + [f"{item} added" for item in come])
        elif old != new:
            yield f"{at}: in another order"
    elif old != new:
        yield f"{at}: {_said(new)}, was {_said(old)}"


def _said(value: Any) -> str:
    if value is None:
        return "not said"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def text(study: Study) -> Iterator[str]:
    """The plan in words, a line at a time, for a register such as OSF or AsPredicted."""
    yield from (f"# {study.title}", "", f"Design: {study.design}. Seed: {study.seed}.", "")
    entries = held(study)
    for entry in entries:
        yield f"Locked on {day(entry)} ({entry['data']}), {entry['sha256']}."
    yield from () if entries else ["Not locked: `researchkit plan STUDY --lock` does it."]
    if gone := dropped(study):
        yield f"In the locked plan, and no longer asked: {some(gone, 20)}."
    for question in study.questions:
        yield from ("", *about(study, question))


def about(study: Study, question: Question) -> Iterator[str]:
    """One question of the plan, in words."""
    tested, where = claim(question.claim), standing(study, question)
    table, exposure = study.tables[study.table_of(question)], question.exposure.column
    least = least_words(question)
    yield f"## {question.title}"
    yield ""
    yield f"- {wording.capital(where.words)}."
    yield from (f"- Changed: {change}." for change in where.changes)
    yield f"- Claim {tested.id}: {tested.statement}"
    row = table.rows.removesuffix("s")
    one = f"; one row {'an' if row[:1].lower() in 'aeiou' else 'a'} {row}" if row != "row" else ""
    yield f"- Design: {study.design_of(question)}{one}."
    yield f"- Exposure: {named(study.label(exposure), exposure)}."
    yield f"- Outcome: {outcome_words(study, question.outcome)}."
    yield from (f"- {name} is {study.events[name]}." for name in question.columns if name in study.events)
    heard = study.heard_in(study.table_of(question))
    yield from (f"- {name}: {study.transcripts[heard[name]]}." for name in question.columns if name in heard)
    yield f"- Expected: {EXPECTED[question.expect]}. An effect below {least} would be too small to matter."
    own = question.special
    yield from (f"- {what}: {said}." for what, said in (own.rows(study.label) if own else {}).items())
    yield f"- Analysis: {own.analysis if own else METHODS[question.outcome.kind]}; {errors_words(study, question)}."
    for words, names, otherwise in (
        ("Adjusted for", [study.label(name) for name in question.adjust], "nothing"),
        (
            "Left out",
            [rule.why for rule in (*table.keep, *question.keep)],
            "rows with a gap in what is used",
        ),
        ("Also, whatever comes out", [study.alternatives[name].label for name in question.alternatives], ""),
        ("Nothing should be found with", [study.label(question.negative_control or "")], ""),
    ):
        if told := some(list(filter(None, names)), 40) if any(names) else otherwise:
            yield f"- {words}: {told}."
    yield f"- The strongest other explanation: {tested.rival}"


def named(label: str, column: str) -> str:
    """A label with its column, where they are not the same."""
    return label if label == column else f"{label} ({column})"


def least_words(question: Question) -> str:
    """The smallest effect that matters, in the outcome's unit; that of a share in percentage points."""
    outcome, least = question.outcome, question.smallest_effect
    share = outcome.kind in ("yes_no", "ordered") and not outcome.nps and not question.special
    if share:
        return f"{wording.typed(100 * least)} {wording.units('percentage points')}"
    return f"{wording.typed(least)} {wording.units(outcome.unit or '', wording.typed(least))}".strip()


def outcome_words(study: Study, outcome: Outcome) -> str:
    name = outcome.label or study.label(outcome.column)
    told = f"{named(name, outcome.column)}, {outcome.kind.replace('_', ' or ')}, {outcome.good} is good"
    if outcome.horizon is None:
        return told
    return f"{told}, up to {wording.typed(outcome.horizon)} {wording.units(outcome.unit or 'units')}"


def errors_words(study: Study, question: Question) -> str:
    clusters = [study.label(name) for name in study.clusters_of(question)]
    return f"errors by {some(clusters)}" if clusters else "errors that allow for unequal spread"


def place_of(study: Study) -> Path:
    """Where the lock lies."""
    return study.folder / LOCK
