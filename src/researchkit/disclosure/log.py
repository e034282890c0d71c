"""What was hidden, and why: for the owner of the data alone.

It says which counts were too small by themselves and which went with them, so it is never written on a page nor kept
beside one. Each process makes one report at a time; whoever writes the page takes the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from researchkit.disclosure.profiles import Profile

TOO_FEW, WITH_IT = "too few people", "else another could be worked out"
_HELD: list[Hidden] = []


@dataclass(frozen=True)
class Hidden:
    """One count, share or group that is not shown; `people` is how many it is of."""

    what: str
    people: int
    why: str

    def to_dict(self) -> dict[str, object]:
        return {"what": self.what, "people": self.people, "why": self.why}


def hid(what: str, counts: Mapping[str, int], told: Mapping[str, object], profile: Profile) -> None:
    """Note which of some counts are not shown (None in `told`)."""
    if not profile.protects:
        return
    for name, people in counts.items():
        if told.get(name) is None:
            few = people < profile.threshold and (people > 0 or not profile.zero_shown)
            _HELD.append(Hidden(f"{what}: {name}", int(people), TOO_FEW if few else WITH_IT))


def note(one: Hidden) -> None:
    """Note one thing that is not shown."""
    _HELD.append(one)


def taken() -> list[Hidden]:
    """Everything noted since the last time, each once; the list begins anew."""
    found = list(dict.fromkeys(_HELD))
    _HELD.clear()
    return found
