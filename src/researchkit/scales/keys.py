"""The keys of instruments, from `instruments/*.yml`: numbers only, never the wording of an item."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from researchkit.errors import StudyError
from researchkit.faults import nearest
from researchkit.markup import read_yaml


@dataclass(frozen=True)
class Key:
    """One scale of one form of an instrument; item numbers count within the questionnaire, from 1."""

    name: str
    items: tuple[int, ...]
    reverse: tuple[int, ...]
    low: float
    high: float
    points: tuple[float, ...]  # what the answers from lowest to highest are worth
    rule: str
    min_answered: int
    table: dict[float, float] = field(default_factory=dict)  # from the sum or mean of the answers to the score
    unverified: str = ""  # what of the key was found in no source that can be trusted; said whenever it is used


@dataclass(frozen=True)
class Cutoff:
    """A published line between groups, with where it comes from and why to be wary of it."""

    scale: str
    at: float
    direction: str  # "or more": scores from `at` upwards are meant
    label: str
    source: str
    warning: str


FOLDER = resources.files("researchkit") / "instruments"


def instruments() -> tuple[str, ...]:
    """The names of every instrument that has a key, in the order of the alphabet."""
    return tuple(sorted(entry.name.removesuffix(".yml") for entry in FOLDER.iterdir() if entry.name.endswith(".yml")))


@cache
def read_instrument(id: str) -> Any:
    """Everything that an instrument's file says.

    Raises
    ------
    StudyError
        If there is no such instrument; names the nearest.
    """
    if id not in instruments():
        raise StudyError(f"There is no instrument {id!r}{nearest(id, instruments())}.")
    return read_yaml((FOLDER / f"{id}.yml").read_text(encoding="utf-8"), f"instruments/{id}.yml")[0]


def load_key(name: str) -> Key:
    """The key of "cbi/work", or of another form of the questionnaire, "cbi/alt10/work".

    Raises
    ------
    StudyError
        If there is no such instrument, form or scale; names the nearest. And if a form has to be named, since no form
        is the usual one.
    """
    id, *form, scale = name.split("/") if "/" in name else (name, "")
    spec = read_instrument(id)
    forms = spec["forms"]
    if "choose" in spec and not form:
        raise StudyError(
            f"{id} has forms that are scored otherwise: {spec['choose']}, as in {id}/{next(iter(forms))}/{scale}."
        )
    chosen = form[0] if form else next(iter(forms))
    if len(form) > 1 or chosen not in forms:
        raise StudyError(f"{id} has no form {'/'.join(form)!r}{nearest(chosen, forms)}.")
    if scale not in forms[chosen]:
        raise StudyError(f"{id} has no scale {scale!r}{nearest(scale, forms[chosen])}.")
    part, response = forms[chosen][scale], spec.get("responses", {}).get(chosen, spec["response"])
    unsure = spec.get("unverified", {})
    return Key(
        name,
        tuple(part["items"]),
        tuple(part.get("reverse", ())),
        float(response["min"]),
        float(response["max"]),
        tuple(float(point) for point in response["points"]),
        part["rule"],
        int(part.get("min_answered", len(part["items"]))),
        {float(raw): float(score) for raw, score in part.get("table", {}).items()},
        "; ".join(unsure[place] for place in ("all", chosen, scale) if place in unsure),
    )


def burnout_cutoffs(instrument: str) -> tuple[Cutoff, ...]:
    """The published cut-offs of an instrument ("cbi", "mbi_hss"), each with its source and its warning.

    Sources disagree: two lines for one scale both stand here. None is a diagnosis.
    """
    return tuple(Cutoff(**{**line, "at": float(line["at"])}) for line in read_instrument(instrument).get("cutoffs", ()))
