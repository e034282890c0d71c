"""Counts of groups that add up to a known total: which may be shown, and which go with those that may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from researchkit.disclosure.profiles import Profile
from researchkit.errors import DisclosureError


def shown(count: int, profile: Profile) -> int | None:
    """The count as the profile lets it be seen; None when it is hidden."""
    if count < 0:
        raise DisclosureError(f"{count} is no count of people.")
    if count == 0:
        return 0 if profile.zero_shown else None
    if count < profile.threshold:
        return None
    return nearest(count, profile)


def nearest(count: int, profile: Profile) -> int:
    """A count that is large enough to be told, rounded where the profile rounds; never to one that looks too small."""
    found = profile.round_to * ((count + profile.round_to // 2) // profile.round_to)
    return max(found, profile.threshold) if count >= profile.threshold else found


def alike(count: int, profile: Profile) -> tuple[int, int]:
    """The smallest and the largest count that are told as this one, which nobody takes for a hidden one."""
    low = profile.round_to * ((count + profile.round_to // 2) // profile.round_to) - profile.round_to // 2
    return max(low, profile.threshold) if count >= profile.threshold else low, low + profile.round_to - 1


def enough(people: int, profile: Profile) -> bool:
    """Whether a mean, a median or any other result of so many people may be shown."""
    return people >= profile.threshold


def protect(counts: Mapping[str, int], profile: Profile) -> dict[str, int | None]:
    """The counts of groups that add up to a known total, with enough of them hidden that no hidden one can be had back.

    A single hidden count is the total less the others, so the next smallest is hidden with it (secondary suppression);
    likewise while all hidden ones together are too few, or can each have one value only. Where every count ends up
    hidden the total must not be shown either. Under rounding the total is rounded, too, and nothing
    more needs hiding here (see `edge`).
    """
    result = {name: shown(count, profile) for name, count in counts.items()}
    hidden = {name: count for name, count in counts.items() if result[name] is None}
    others = sorted((count, name) for name, count in counts.items() if name not in hidden and count)
    while hidden and profile.round_to == 1 and others and not hard_to_tell(list(hidden.values()), profile):
        count, name = others.pop(0)
        hidden[name], result[name] = count, None
    return result


def hard_to_tell(hidden: list[int], profile: Profile) -> bool:
    """Whether the sum of the hidden counts, which anyone can work out, leaves each open by the profile's width."""
    total, least = sum(hidden), profile.least
    if len(hidden) < 2 or (total and total < profile.threshold):
        return False
    if total == (profile.threshold - 1) * len(hidden):  # each can only be the largest that is hidden
        return False
    return total - least * len(hidden) >= profile.width


def apart(counts: Sequence[int], fewest: int) -> list[bool]:
    """Which groups of a known total may be shown, where none of 1 to `fewest` - 1 may be, or be worked out."""
    profile = Profile("", fewest, True, 1, "", "")
    kept = protect({str(place): count for place, count in enumerate(counts)}, profile)
    return [count is not None for count in kept.values()]


def share(part: int, whole: int, fewest: int) -> float | None:
    """The share, or None where it stands for 1 to `fewest` - 1 people inside it or outside it."""
    few = any(0 < side < fewest for side in (part, whole - part))
    return None if few or not whole else part / whole


def edge(arrived: int, used: int, told: Mapping[str, int | None], profile: Profile) -> bool:
    """Whether rounded counts lie so near the edges of their rounding that they tell of what is hidden.

    254 that arrived, told as 250, and 235 of them used, told as 240, leave 4 at most for one who knows that 15 were
    dropped for another reason, told as 20.
    """
    hidden = sum(count is None for count in told.values())
    if not hidden or profile.round_to == 1:
        return False
    known = [used, *(count for count in told.values() if count is not None)]
    most = alike(arrived, profile)[1] - sum(alike(count, profile)[0] for count in known)
    return most - profile.least * hidden < profile.width


def account(
    arrived: int, steps: Mapping[str, int], used: int, profile: Profile, people: Mapping[str, int] | None = None
) -> tuple[int | None, dict[str, int | None], int | None]:
    """Rows that arrived, dropped for each reason, and used, so that no hidden reason can be worked out.

    `people` are those whom the rows of each reason are of, where one may have several; they decide what is hidden. With
    every reason hidden, arrived less used would still tell what they add up to, so arrived is hidden too; likewise
    where rounding leaves too little room.
    """
    rows = {why: count for why, count in steps.items() if count}
    heads = {why: rows[why] if people is None else people[why] for why in rows}
    kept = protect(heads, profile)
    told = {why: None if kept[why] is None else shown(rows[why], profile) for why in rows}
    telling = bool(told) and (all(count is None for count in told.values()) or edge(arrived, used, told, profile))
    return None if telling else shown(arrived, profile), told, shown(used, profile)
