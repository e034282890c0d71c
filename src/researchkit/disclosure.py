"""Small counts: which may be shown, under the named rules that data owners set.

Count people, not rows: one customer with five tickets is one person. A profile is a starting point; whoever owns the
data decides, and judges the report as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from researchkit.errors import DisclosureError


@dataclass(frozen=True)
class Profile:
    """One rule. Counts from 1 to `threshold` - 1 are hidden; those shown are rounded to `round_to`."""

    name: str
    threshold: int
    zero_shown: bool
    round_to: int
    version: str  # the rule it follows, and as of when


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("none", 1, True, 1, "no protection: for the eyes of those who may see the data"),
        Profile("cms", 11, True, 1, "CMS cell size suppression policy (ResDAC, 2024-01-26): no cell of 1 to 10"),
        Profile("nhs", 8, True, 5, "NHS Hospital Episode Statistics, 2018: 1 to 7 hidden, others to the nearest 5"),
        Profile("ukllc", 10, False, 1, "UK LLC guidebook on disclosure control: nothing below 10, not even 0"),
        Profile("five", 5, False, 1, "groups of at least 5, as staff surveys have it"),
    )
}


def shown(count: int, profile: Profile) -> int | None:
    """The count as the profile lets it be seen; None when it is hidden."""
    if count < 0:
        raise DisclosureError(f"{count} is no count of people.")
    if count == 0:
        return 0 if profile.zero_shown else None
    if count < profile.threshold:
        return None
    return profile.round_to * ((count + profile.round_to // 2) // profile.round_to)


def enough(people: int, profile: Profile) -> bool:
    """Whether a mean, a median or any other result of so many people may be shown."""
    return people >= profile.threshold


def protect(counts: Mapping[str, int], profile: Profile) -> dict[str, int | None]:
    """The counts of groups that add up to a known total, with enough of them hidden that no hidden one can be had back.

    A single hidden count is the total less the others, so the next smallest is hidden with it (secondary suppression);
    likewise while all hidden ones together are too few, or can each have one value only. Where every count ends up
    hidden the total must not be shown either. Under rounding the total is rounded too, and nothing more needs hiding.
    """
    result = {name: shown(count, profile) for name, count in counts.items()}
    hidden = {name: count for name, count in counts.items() if result[name] is None}
    others = sorted((count, name) for name, count in counts.items() if name not in hidden and count)
    while hidden and profile.round_to == 1 and others and not hard_to_tell(list(hidden.values()), profile):
        count, name = others.pop(0)
        hidden[name], result[name] = count, None
    return result


def hard_to_tell(hidden: list[int], profile: Profile) -> bool:
    """Whether the sum of the hidden counts, which anyone can work out, leaves each of them open."""
    total = sum(hidden)
    if len(hidden) < 2 or (total and total < profile.threshold):
        return False
    least = 1 if profile.zero_shown else 0
    return total not in (least * len(hidden), (profile.threshold - 1) * len(hidden))


def apart(counts: Sequence[int], fewest: int) -> list[bool]:
    """Which groups of a known total may be shown, where none of 1 to `fewest` - 1 may be, or be worked out."""
    profile = Profile("", max(fewest, 1), True, 1, "")
    kept = protect({str(place): count for place, count in enumerate(counts)}, profile)
    return [count is not None for count in kept.values()]


def share(part: int, whole: int, fewest: int) -> float | None:
    """The share, or None where it stands for 1 to `fewest` - 1 people inside it or outside it."""
    few = any(0 < side < fewest for side in (part, whole - part))
    return None if few or not whole else part / whole


def account(
    arrived: int, steps: Mapping[str, int], used: int, profile: Profile
) -> tuple[int | None, dict[str, int | None], int | None]:
    """Rows that arrived, dropped for each reason, and used, so that no hidden reason can be worked out.

    With every reason hidden, arrived less used would still tell what they add up to, so arrived is hidden too.
    """
    kept = protect({why: rows for why, rows in steps.items() if rows}, profile)
    telling = bool(kept) and all(rows is None for rows in kept.values())
    return None if telling else shown(arrived, profile), kept, shown(used, profile)
