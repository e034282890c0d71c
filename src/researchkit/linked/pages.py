"""One page among the others of a run: what they would give away together.

The whole less all other sites is the site that is hidden; a question less another is those who lack one column. So what
a page may show depends on pages that others make, perhaps later. All of that is worked out here from the data alone:
each page comes to the same end, in whatever order they are made, and none has to know of the others.

A value of a column has no page where its people are too few, or where the few of another would follow from it. Where
two questions of a table differ by few people their counts are rounded, and where a site leaves out few rows no site
says how many it leaves out. Whether that is enough an audit of all of it together says (`linked.groups`); where it is
not, counts are rounded more coarsely, then sites go without a page, at last all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import PROFILES, Profile, hard_to_tell, protect, usual_base
from researchkit.errors import ResearchkitError
from researchkit.linked.accounts import patterns
from researchkit.linked.groups import exposed, told, world
from researchkit.linked.left import Codes, Left, Seen, groups_of, heads, heads_in, left_out
from researchkit.linked.rounding import BASES, Pair, base, ends

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.parts import Question

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Company:
    """What the other pages leave a page to tell. `held` are the values that have no page, with their people."""

    held: dict[str, int]
    rounded: int  # the base that counts are rounded to; 0 where they are not
    quiet: bool

    def to_dict(self) -> dict[str, Any]:
        return {"held": self.held, "rounded": self.rounded, "quiet": self.quiet}


ALONE = Company({}, rounded=0, quiet=False)


def company_of(rule: str, question: str, column: str | None) -> str:
    """The name under which a run holds what `company` has found."""
    return f"company of {rule}/{question}/{column or ''}"


def company(dataset: Dataset, question: Question, column: str | None = None, seen: Seen | None = None) -> Company:
    """What a page may tell beside those of the other values of a column and of the table's other questions.

    Parameters
    ----------
    dataset
        The table with all its rows.
    column
        That of `by`; None for the page about everybody.
    seen
        What was looked up before; a run hands over the same one for all questions of a table.
    """
    profile = PROFILES[dataset.study.disclosure]
    if not profile.protects or (column and column not in dataset.arrived):
        return ALONE
    seen = seen or Seen(dataset)
    lefts = accounts(seen, [question, *(one for one in dataset.study.questions if one.id != question.id)])
    if question.id not in lefts:
        return ALONE  # the report itself will say why there is no answer
    place = (profile.name, column, *map(id, lefts.values()))
    if place not in seen.found:
        whole = everybody(lefts, seen, profile)
        seen.found[place] = by_groups(lefts, whole, seen, column, profile) if column else whole
    return seen.found[place][question.id]


def accounts(seen: Seen, questions: list[Question]) -> dict[str, Left]:
    """Whom each question of the table leaves out, and why, by its id; those that have no answer tell nothing."""
    found = {}
    for one in sorted(questions, key=lambda one: one.id):
        with suppress(ResearchkitError):
            if same_table(seen.dataset, one):
                found[one.id] = seen.left(one)
    return found


def everybody(lefts: dict[str, Left], seen: Seen, profile: Profile) -> dict[str, Company]:
    """What the pages about everybody may tell: rounded where two are of the same people but for a few.

    They tell of nobody left out where their accounts, laid side by side, give away a few whom each one hides. A row
    that lacks severity is left out by every question that needs it, though perhaps for another reason that is looked
    at before. The attacker knows these rules; not which reasons meet in one row.
    """
    group, open_ = np.zeros(len(seen.person), np.int64), np.ones(1, dtype=bool)
    found = {}
    for id_, left in lefts.items():
        others = [one for name, one in lefts.items() if name != id_]
        close = bool(others) and adds_up(left_out(left, group, seen.person, 1)[:, 0], profile)
        close = close or any(near(left, one, group, open_, profile, seen) for one in others)
        found[id_] = Company({}, rounded=usual_base(profile) if close else 0, quiet=False)
    told_of = Audit(lefts, group, [""], seen, found, profile)
    too_much = len(lefts) > 1 and told_of({id_: replace(one, held={"": 0}) for id_, one in found.items()}).any()
    return {id_: replace(one, quiet=bool(too_much)) for id_, one in found.items()}


class Audit:
    """Of which groups a plan for their pages tells too much, beside those about everybody."""

    def __init__(
        self,
        lefts: dict[str, Left],
        group: Codes,
        names: list[str],
        seen: Seen,
        whole: dict[str, Company],
        profile: Profile,
    ) -> None:
        self.lefts, self.names, self.profile = lefts, names, profile
        self.among = patterns(list(lefts.values()), len(group))
        self.world = world(list(lefts.values()), self.among, group, seen.person, len(names), profile)
        closed = np.zeros(len(names), dtype=bool)
        self.whole = {
            id_: told(
                left,
                closed,
                seen.person,
                profile,
                to=1,
                whole=max(whole[id_].rounded, profile.round_to),
                quiet=whole[id_].quiet,
            )
            for id_, left in lefts.items()
        }

    def __call__(self, plan: dict[str, Company]) -> Flags:
        """(g,) the groups; all of them where it is of everybody."""
        pages = [
            replace(
                self.whole[id_],
                open_=np.array([name not in one.held for name in self.names]),
                to=max(one.rounded, self.profile.round_to),
            )
            for id_, one in plan.items()
        ]
        return exposed(self.world, self.among, pages, self.profile)


def by_groups(
    lefts: dict[str, Left], whole: dict[str, Company], seen: Seen, column: str, profile: Profile
) -> dict[str, Company]:
    """What the pages of each value of a column may tell, for every question of the table at once."""
    group, names = groups_of(seen.dataset, column)
    steps = {id_: left_out(left, group, seen.person, len(names)) for id_, left in lefts.items()}
    first = {id_: one_by_one(id_, lefts, steps, seen, group, names, profile) for id_ in lefts}
    if not next(iter(first.values())).quiet:
        return first  # nobody is left out but many
    told_of = Audit(lefts, group, names, seen, whole, profile)
    counts = {id_: heads(group[left.inside], seen.person[left.inside], len(names)) for id_, left in lefts.items()}
    fewer, too_much = first, np.zeros(len(names), dtype=bool)
    for _ in ("with every page", "without those of which too much is told"):
        fewer = without(fewer, too_much, counts, names)
        for plan in coarser(fewer, counts, names, profile):
            too_much = told_of(plan)
            if not too_much.any():
                return plan
    return without(first, np.ones(len(names), dtype=bool), counts, names)


def coarser(
    plan: dict[str, Company], counts: dict[str, Codes], names: list[str], profile: Profile
) -> Iterator[dict[str, Company]]:
    """The same pages with counts rounded more and more coarsely, none so that its smallest group is lost."""
    yield plan
    for to in dict.fromkeys((usual_base(profile), *BASES)):
        new = {}
        for id_, one in plan.items():
            open_ = np.array([name not in one.held for name in names]) & (counts[id_] > 0)
            fits = to == usual_base(profile) or to <= counts[id_][open_].min(initial=BASES[-1])
            new[id_] = replace(one, rounded=max(one.rounded, to)) if fits else one
        if new != plan and to >= usual_base(profile):
            plan = new
            yield plan


def without(plan: dict[str, Company], gone: Flags, counts: dict[str, Codes], names: list[str]) -> dict[str, Company]:
    """The same with some groups without a page."""
    more = {id_: {names[at]: int(counts[id_][at]) for at in np.flatnonzero(gone) if names[at]} for id_ in plan}
    return {id_: replace(one, held={**more[id_], **one.held}) for id_, one in plan.items()}


def one_by_one(
    id_: str,
    lefts: dict[str, Left],
    steps: dict[str, Codes],
    seen: Seen,
    group: Codes,
    names: list[str],
    profile: Profile,
) -> Company:
    """What the pages of each value may tell of one question, as far as it is held against each other one alone.

    `steps` (reasons, groups) are the people left out by each question.
    """
    left, others, person = lefts[id_], [one for name, one in lefts.items() if name != id_], seen.person
    held = without_page(left, group, person, names, profile)
    open_ = np.array([name not in held for name in names], dtype=bool)
    # A few whom one question leaves out somewhere would follow from what another tells of the same rows.
    few = any(((one > 0) & (one < profile.threshold)).any() for one in steps.values())
    worked_out = bool(others) and any(adds_up(steps[id_][:, place], profile) for place in np.flatnonzero(open_))
    close = worked_out or any(near(left, one, group, open_, profile, seen) for one in others)
    pairs = [apart(left, one, group, person, len(names), profile) for one in others] if close else []
    to, still = base(pairs, open_, profile, usual_base(profile)) if close else (0, open_)
    inside = heads(group[left.inside], person[left.inside], len(names))
    held |= {names[place]: int(inside[place]) for place in np.flatnonzero(open_ & ~still) if names[place]}
    return Company(held, rounded=to, quiet=bool(few))


def apart(left: Left, other: Left, group: Codes, person: Codes, groups: int, profile: Profile) -> Pair:
    """Two questions of a table, by group (groups,), and what pages about everybody tell of their difference."""
    one, two = left.inside, other.inside
    sets = (one, two, one & ~two, two & ~one)
    first, second, third, fourth = (heads(group[rows], person[rows], groups) for rows in sets)
    few = 0 < heads_in(one ^ two, person) < profile.threshold  # then those pages round, too
    to = usual_base(profile) if few else profile.round_to
    all_ = np.array([heads_in(one, person), heads_in(two, person)])
    low, high = ends(all_, np.ones(2, dtype=bool), profile, to)
    # Whoever is in two groups counts twice here; as a precaution that is taken as known.
    twice = int((second - first).sum() - (all_[1] - all_[0]))
    return Pair(first, second, third, fourth, (low[1] - high[0] + twice, high[1] - low[0] + twice))


def exactly(profile: Profile) -> Profile:
    """The profile as if it did not round: from a precise mean or error the number behind it can be worked out."""
    return replace(profile, round_to=1)


def without_page(left: Left, group: Codes, person: Codes, names: list[str], profile: Profile) -> dict[str, int]:
    """The values that have no page, with their people in the answer.

    One that has few rows in the table goes without for every question of it, and so does the one that would tell of it:
    any page of it would tell how many rows it has.
    """
    inside = heads(group[left.inside], person[left.inside], len(names))
    held: dict[str, int] = {}
    for counts in (inside, heads(group, person, len(names))):
        # The rows without a value have no page, but are a group like any other.
        there = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
        told = protect(there, exactly(profile))
        held |= {name: int(inside[names.index(name)]) for name in there if name and told[name] is None}
    return held


def same_table(dataset: Dataset, question: Question) -> bool:
    return dataset.study.table_of(question) == dataset.table


def adds_up(steps: NDArray[np.int64], profile: Profile) -> bool:
    """Whether those left out for hidden reasons could be worked out, once all that arrived are known."""
    there = {str(place): int(count) for place, count in enumerate(steps) if count}
    hidden = [there[name] for name, count in protect(there, exactly(profile)).items() if count is None]
    return bool(hidden) and not hard_to_tell(hidden, profile)


def near(
    left: Left,
    other: Left,
    group: Codes,
    open_: NDArray[np.bool_],
    profile: Profile,
    seen: Seen,
) -> bool:
    """Whether an answer to another question is of the same people but for a few, in any group that has a page."""
    apart = left.inside != other.inside
    rows = np.bincount(group[apart], minlength=len(open_))
    if not (open_ & (rows > 0) & (rows < profile.threshold * seen.most)).any():
        return False  # nobody has so many rows that these could be of few people
    counts = heads(group[apart], seen.person[apart], len(open_))[open_]
    return bool(((counts > 0) & (counts < profile.threshold)).any())
