"""The named rules that data owners set for small counts, each with its version."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace

from researchkit.errors import ParameterError

ROUNDED = " rounded to "  # and a base: ends the name of a profile whose counts are rounded as well


@dataclass(frozen=True)
class Profile:
    """One rule. Counts from 1 to `threshold` - 1 are hidden; those shown are rounded to `round_to`."""

    name: str
    threshold: int
    zero_shown: bool
    round_to: int
    edition: str  # of the rule: the year of what it follows, or a number of our own
    version: str  # the rule in words, and as of when

    @property
    def label(self) -> str:
        """Name and edition, as on every page: "cms-2024"."""
        return f"{self.name.partition(ROUNDED)[0]}-{self.edition}"

    @property
    def protects(self) -> bool:
        return self.threshold > 1

    @property
    def least(self) -> int:
        """The smallest count that a hidden one can be: where zeros are shown, what is hidden is none."""
        return 1 if self.zero_shown else 0

    @property
    def width(self) -> int:
        """How far apart the smallest and the largest value must lie that a hidden count can have.

        Two hidden counts that together are as many people as may be shown leave each other this much room. A rule that
        rounds tells no count nearer than its base, and asks no more of a hidden one.
        """
        room = self.threshold - 1 - self.least
        return max(min(room, self.round_to) if self.round_to > 1 else room, 1)


class Profiles(dict[str, Profile]):
    """Profiles by name; "NAME rounded to 10" is that profile with its counts rounded as well."""

    def __missing__(self, name: str) -> Profile:
        known, found, base = name.partition(ROUNDED)
        if not found or known not in self or not base.isdecimal():
            raise KeyError(name)
        profile = self[known]
        return replace(profile, name=name, round_to=max(int(base), profile.round_to)) if profile.protects else profile


PROFILES = Profiles(
    {
        profile.name: profile
        for profile in (
            Profile("none", 1, True, 1, "1", "no protection: for the eyes of those who may see the data"),
            Profile(
                "cms", 11, True, 1, "2024", "CMS cell size suppression policy (ResDAC, 2024-01-26): no cell of 1 to 10"
            ),
            Profile(
                "nhs",
                8,
                True,
                5,
                "2018",
                "NHS Hospital Episodes, 2018: 1 to 7 hidden, others to the nearest 5",
            ),
            Profile(
                "ukllc",
                10,
                False,
                1,
                "1",
                "UK LLC guidebook on disclosure control (undated): nothing below 10, not even 0",
            ),
            Profile("five", 5, False, 1, "1", "groups of at least 5, as staff surveys have it"),
        )
    }
)
LABELS = {profile.label: profile.name for profile in PROFILES.values()}


def name_of(asked: str) -> str:
    """The name of a profile, from its name or its label ("cms", "cms-2024").

    Raises
    ------
    ParameterError
        If there is no such profile, or not in that version; names the nearest.
    """
    name = LABELS.get(asked, asked)
    if name in PROFILES:
        return name
    near = difflib.get_close_matches(asked, [*PROFILES, *LABELS], 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = ", ".join(f"{name} ({profile.label})" for name, profile in PROFILES.items())
    raise ParameterError(f"There is no disclosure profile {asked!r}{hint} There are {known}.".replace("?.", "?"))


def rounded(name: str, base: int) -> str:
    """The name of the same profile with counts rounded to a base; one that rounds as coarsely stays as it is."""
    profile = PROFILES[name]
    return name if profile.round_to >= base or not profile.protects else f"{name}{ROUNDED}{base}"


def usual_base(profile: Profile) -> int:
    """What counts are rounded to where two pages differ by few people."""
    return profile.round_to if profile.round_to > 1 else 10
