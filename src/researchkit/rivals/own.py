"""What designs of their own face, each by a function under the name of its room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from researchkit.claims import Rival
from researchkit.rivals.seen import Seen


def faced_by_design(seen: Seen, rival: Rival) -> str:
    """What the design of a question faces a rival by; "" for what it does not, and for a plain contrast."""
    design = seen.question.special
    return OWN[design.room](seen, design, rival) if design and design.room in OWN else ""


def _rollout(seen: Seen, design: Any, rival: Rival) -> str:
    if rival.kind == "standing" and not seen.stays(design.unit, rival):
        return ""
    kinds = ("standing", "trend", "reverse", "selection", "regression")
    told = (
        f"each {seen.label(design.unit)} against itself and those not there yet at the same {seen.label(design.time)}"
    )
    return told if rival.kind in kinds else ""


def _within(seen: Seen, design: Any, rival: Rival) -> str:
    later = design.lag or getattr(design, "crossed", False)
    faces = {
        "standing": f"each {seen.label(design.who)} against itself" if seen.stays(design.who, rival) else "",
        "trend": f"at the same {seen.label(design.when)}" if design.when else "",
        "reverse": f"the exposure of the {seen.label(design.when)} before" if later else "",
    }
    return faces.get(rival.kind, "")


def _contagion(seen: Seen, design: Any, rival: Rival) -> str:
    before = f"colleagues as they were the {seen.label(design.when)} before"
    return {"reverse": before, "one source": "colleagues and the person are not the same people"}.get(rival.kind, "")


def _halves(seen: Seen, design: Any, rival: Rival) -> str:
    lag = f"the exposure of the {seen.label(design.when)} before" if design.lag else ""
    other = f"two halves of each {seen.label(design.team)}, drawn by lot"
    return {"reverse": lag, "one source": other}.get(rival.kind, "")


def _mechanism(seen: Seen, design: Any, rival: Rival) -> str:
    ordered = rival.kind == "reverse" and design.times is not None and design.times.apart
    return "exposure, mediator and outcome measured in this order" if ordered else ""


def _series(seen: Seen, design: Any, rival: Rival) -> str:
    return f"beside the course of others by {seen.label(design.unit)}" if rival.kind == "trend" else ""


def _limit(seen: Seen, design: Any, rival: Rival) -> str:
    told = f"those just beyond a limit of {seen.label(design.running)} against those just short of it"
    return told if rival.kind in ("confounder", "standing", "selection") else ""


def _mix(seen: Seen, design: Any, rival: Rival) -> str:
    held = seen.naming(design.of, rival.words)
    return f"as if both had the same mix of {held}" if rival.kind == "confounder" and held else ""


def _recovery(seen: Seen, design: Any, rival: Rival) -> str:
    held = seen.naming(design.among_failures, rival.words)
    faces = {
        "confounder": f"{held} held equal between the recoveries" if held else "",
        "regression": f"from {seen.label(design.at_failure)} on" if design.at_failure else "",
    }
    return faces.get(rival.kind, "")


def _detection(seen: Seen, design: Any, rival: Rival) -> str:
    true = seen.label(design.by if design.of == "effect" else seen.question.outcome.column)
    faces = {
        "measure": f"held against {true}",
        "raters": f"{len(design.raters)} raters" if design.raters else "",
        "differs": f"held against {true} in two groups" if design.minimum is None and design.of != "effect" else "",
        "selection": "corrected for the spread among all who could be chosen" if design.applicants_sd else "",
    }
    return faces.get(rival.kind, "")


OWN: dict[str, Callable[[Seen, Any, Rival], str]] = {
    "rollout": _rollout,
    "within": _within,
    "contagion": _contagion,
    "halves": _halves,
    "mechanism": _mechanism,
    "series": _series,
    "limit": _limit,
    "mix": _mix,
    "recovery": _recovery,
    "detection": _detection,
}
