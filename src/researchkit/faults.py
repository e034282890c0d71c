"""What pydantic found wrong with a study file, in words, with lines and the nearest right name."""

from __future__ import annotations

import difflib
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from researchkit.markup import Place
from researchkit.wording import typed

OPEN = "FILL_IN"  # what a draft leaves to its author
WAITS = f"waits for you: put your own in place of {OPEN}."
MOST = 100  # problems that are told: nobody reads more, and a broken file may have a million


def told(error: ValidationError, model: type[BaseModel], lines: Mapping[Place, int]) -> list[str]:
    """One sentence a problem, in the order of the file; of very many the first."""
    every = error.errors()
    holds_others = {fault["loc"][:depth] for fault in every for depth in range(len(fault["loc"]))}
    faults = []
    for fault in every:
        if fault["type"] == "too_short" and fault["loc"] in holds_others:
            continue  # pydantic counts only the sound items; the others are told by themselves
        place = tuple(part for part in fault["loc"] if part != "[key]")
        faults.append((line_of(place, lines), fault, place))
    faults.sort(key=lambda one: one[0])
    words = [(f"line {line}: " if line else "") + sentence(fault, place, model) for line, fault, place in faults[:MOST]]
    return words + ([f"and {len(faults) - MOST:,} more."] if len(faults) > MOST else [])


def left_open(value: Any, lines: Mapping[Place, int], place: Place = ()) -> list[str]:
    """What a draft has left to its author, in the order of the file."""
    if value == OPEN:
        return [f"line {line_of(place, lines)}: {named(place)} {WAITS}"]
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [text for key, part in parts for text in left_open(part, lines, (*place, key))]


def all_of(left: list[str], others: list[str]) -> list[str]:
    """What is left open and what is wrong, each once, in the order of the file."""
    lines, last = re.compile(r"line (\d+)"), [text for text in others if text.startswith("and ")]
    found = [text for text in dict.fromkeys([*left, *others]) if text not in last]
    return sorted(found, key=lambda text: int((lines.match(text) or ["", "0"])[1])) + last


def named(place: Place) -> str:
    return (
        " of ".join(f"`{part}`" for part in reversed([str(p) for p in place if not isinstance(p, int)])) or "the file"
    )


def line_of(place: Place, lines: Mapping[Place, int]) -> int:
    """The line of a place, or of the nearest part of the file that holds it."""
    if place[:2] == ("tables", "data") and ("tables",) not in lines:
        place = place[2:]  # the short form: one table, written at the top
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 0)


def sentence(fault: Any, place: Place, model: type[BaseModel]) -> str:
    """One problem in words: what is there, what may be there."""
    where = named(place)
    kind, given, context = fault["type"], fault.get("input"), fault.get("ctx", {})
    if given == OPEN:
        return f"{where} {WAITS}"
    if kind == "extra_forbidden":
        known = names_at(model, place[:-1])
        return f"{where} is not known here{nearest(str(place[-1]), known)}."
    if kind == "missing" and place == ("tables",):
        return "`files` is missing: which files hold the data (or `tables`, where there are several)."
    if kind == "missing":
        return f"{where} is missing."
    if kind in ("literal_error", "enum"):
        close = difflib.get_close_matches(str(given), re.findall(r"'([^']*)'", context["expected"]), 1)
        near = f" (did you mean {close[0]!r}?)" if close else ""
        return f"{where} is {given!r}{near}; it may be {context['expected']}."
    if kind in ("float_type", "int_type"):
        return f"{where} is {given!r}, which is not a number here{number_hint(given)}."
    if kind == "string_type":
        return f"{where} is {given!r}; text is wanted, so put it in quotes."
    if kind == "string_pattern_mismatch":
        return f"{where} is {given!r}; {pattern_hint(context['pattern'])}."
    if kind == "too_short":
        least = context["min_length"]
        short = f"has only {len(given)}" if given else "is empty"
        return f"{where} {short}; at least {least} {'is' if least == 1 else 'are'} wanted."
    if kind == "greater_than":
        return f"{where} is {given!r}; it must be above {typed(context['gt'])}."
    if kind == "value_error":
        return f"{where}: {context['error']}."
    return f"{where} is {shorten(given)}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def number_hint(given: object) -> str:
    """Why something that looks like a number is not one."""
    text = str(given)
    if text.lower() in {"yes", "no", "on", "off", "true", "false"}:
        return f" ({text!r} is a word, never 0 or 1, in a study file)"
    if text.startswith("0") and text.isdigit():
        return f" (a leading zero makes it an id; write {int(text)} if the number is meant)"
    if text.count("-") == 2 and text.replace("-", "").isdigit():
        return " (it reads as a date)"
    return "; a decimal point, no comma and no unit" if any(c.isdigit() for c in text) else ""


def pattern_hint(pattern: str) -> str:
    if "64" in pattern:
        return "a sha256 has 64 digits 0-9 and a-f"
    return "use small letters, digits, _ and -, at most 60, for it names a folder"


def shorten(value: object, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else text[:most] + "..."


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' when one of the known names is close, else the names there are."""
    names = [str(item) for item in known]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (there are: {', '.join(sorted(names)[:20])})" if names else ""


def names_at(model: type[BaseModel], place: Place) -> list[str]:
    """The keys that may stand at a place."""
    inner: Any = model
    for part in place:
        fields = getattr(inner, "model_fields", {})
        by_alias = {field.alias or name: field for name, field in fields.items()}
        if isinstance(part, str) and part in by_alias:
            inner = first_model(by_alias[part].annotation)
    fields = getattr(inner, "model_fields", {})
    return [field.alias or name for name, field in fields.items()]


def first_model(annotation: Any) -> Any:
    """The model inside `tuple[Model, ...]`, `dict[str, Model]`, `Model | None` and their like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in typing.get_args(annotation):
        found = first_model(argument)
        if found is not None:
            return found
    return None
