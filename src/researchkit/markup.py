"""YAML read as it is written: text stays text, and every value knows its line.

YAML 1.1 turns `no` into false, `027` into 23, `12:30` into 750 and `2025-11-01` into a date. In a study file these
are codes, ids and labels, so here only plain numbers, `true`, `false` and `null` are anything but text. Tags, anchors
and aliases are refused: they can build objects or grow a small file into a huge one.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from researchkit.errors import StudyError, listing

Place = tuple[str | int, ...]

LARGEST = 1_000_000  # characters; a study file has a few thousand
DEEPEST = 50  # collections in collections; a study file has six
TOO_DEEP = "lists and mappings are nested too deep to be a study file."
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][-+]?[0-9]+)?$")
WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}


def elsewhere(path: Path) -> str:
    """Where a study lies that was named without the folder data/, in which most do; else where it was sought."""
    if path.is_absolute():
        return ""
    for near in (Path("data"), Path("../data")):
        if (near / path).exists():
            return f" (did you mean {(near / path).as_posix()!r}?)"
    return f" in {Path.cwd().name!r}, where this was started"


def read_bytes(path: Path) -> bytes:
    """What a study file holds, or StudyError where it cannot be had."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise StudyError(
            f"There is no study file {path}{elsewhere(path)}. The notebook 03_study_file shows what stands in one."
        ) from None
    except OSError as error:
        raise StudyError(f"{path} cannot be read: {error.strerror}.") from None


def read_yaml(text: str, subject: str) -> tuple[Any, dict[Place, int]]:
    """The plain value of a YAML text, and the line (from 1) of each place in it.

    Raises
    ------
    StudyError
        If the text is no YAML, holds a key twice, or uses tags, anchors or aliases; says where.
    """
    if len(text) > LARGEST:
        raise StudyError(f"{subject}: {len(text):,} characters are too many for a study file (at most {LARGEST:,}).")
    try:
        node = composed(text, subject)
    except yaml.YAMLError as error:
        raise StudyError(f"{subject}{spot(error)}: this is not YAML: {reason(error)}") from None
    except RecursionError:
        raise StudyError(f"{subject}: {TOO_DEEP}") from None
    lines: dict[Place, int] = {}
    wrong: list[str] = []
    value = plain(node, (), lines, wrong)
    if wrong:
        raise StudyError(listing(subject, wrong))
    return value, lines


def composed(text: str, subject: str) -> yaml.Node | None:
    """The tree of a YAML text by libyaml, ten times faster, with the errors of PyYAML, which say more."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=FAST):  # no tree is built before we know that it is small
            refuse_tricks(event, subject)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise StudyError(f"{subject}: {TOO_DEEP}")
        return yaml.compose(text, Loader=FAST)
    except yaml.YAMLError:
        yaml.compose(text, Loader=yaml.SafeLoader)
        raise


def refuse_tricks(event: yaml.Event, subject: str) -> None:
    """Stop at an anchor, an alias or a tag."""
    anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
    if anchor is not None or tag is not None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        what = f"the tag {tag}" if tag is not None else "an anchor or alias (& or *)"
        raise StudyError(f"{subject}, line {line}: {what} is not allowed here; write the value out.")


def plain(node: yaml.Node | None, place: Place, lines: dict[Place, int], wrong: list[str]) -> Any:
    """The value of one node, its line noted; what is wrong with keys is gathered in `wrong`."""
    if node is None:
        return None
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode):
        return node.value if node.style else scalar(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [plain(child, (*place, i), lines, wrong) for i, child in enumerate(node.value)]
    found: dict[str, Any] = {}
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            wrong.append(f"line {line}: a key is one word or text, never a list or a mapping.")
            continue
        key = str(key_node.value)
        if key in found:
            wrong.append(f"line {line}: {key!r} stands twice; the first is in line {lines[(*place, key)]}.")
        lines[(*place, key)] = line
        found[key] = plain(child, (*place, key), lines, wrong)
    return found


def scalar(text: str) -> Any:
    """An unquoted word: a number, true, false, null, or else the text as it stands."""
    if text in WORDS:
        return WORDS[text]
    if NUMBER.match(text) and len(text) < 40:
        return int(text) if re.fullmatch(r"[-+]?[0-9]+", text) else float(text)
    return text


def spot(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def reason(error: yaml.YAMLError) -> str:
    told = f"{getattr(error, 'problem', None) or str(error).splitlines()[0]}."
    hints = {
        "mapping values": 'Text in which a colon stands needs quotes: "a: b".',
        "'\\t'": "Indent by spaces, not by tabs.",
        "block end": "Look at the indentation here and of the line above.",
        "expected ',' or": "A bracket or a comma is missing before this.",
    }
    return " ".join([told, *(hint for sign, hint in hints.items() if sign in told)])


def as_written(value: Any) -> Any:
    """Codes are compared as text, so 1 and "1" are the same code."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float | dict) else value


def code_keys(value: Any) -> Any:
    return {as_written(key): as_written(item) for key, item in value.items()} if isinstance(value, dict) else value


def column_only(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


def path_only(value: Any) -> Any:
    return [{"path": item} if isinstance(item, str) else item for item in as_list(value)] if value else value
