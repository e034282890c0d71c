"""What is kept for the owner of the data alone: what was published before, and what was hidden and why.

It lies in a hidden folder of the reports folder that only its owner may open. It names counts that pages hide, so it is
never to be shared with them.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from researchkit.errors import DisclosureError
from researchkit.places import alone, put

FOLDER = ".internal"
KEY, RELEASES, HIDDEN = "key", "releases", "hidden"
MOST = 60  # releases of one page that are remembered


def folder(out: Path) -> Path:
    """The folder, made if need be."""
    return closed(out / FOLDER)


def closed(path: Path) -> Path:
    """A folder that only its owner may enter, and those above it up to ours as well."""
    if not path.is_dir():
        if path.name != FOLDER:
            closed(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True, mode=0o700)
    return path


def key(out: Path) -> int:
    """The secret number that makes digests of this reports folder unlike those of any other."""
    path = folder(out) / KEY
    with alone(out, FOLDER):
        if not path.exists():
            private(path, str(secrets.randbits(64)), out)
    try:
        return int(path.read_text(encoding="utf-8")) % 2**64
    except (OSError, ValueError):
        raise DisclosureError(unreadable(path, out)) from None


def releases(out: Path, page: str) -> list[dict[str, Any]]:
    """What was remembered of each publication of a page, the earliest first.

    Raises
    ------
    DisclosureError
        If it cannot be read: nobody knows then what is out already.
    """
    path = record_of(out, page)
    if not path.exists():
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["releases"]
        if not all(isinstance(one, dict) for one in found):
            raise TypeError
    except (OSError, ValueError, KeyError, TypeError):
        raise DisclosureError(unreadable(path, out)) from None
    return list(found)


def remember(out: Path, page: str, release: Mapping[str, Any]) -> None:
    """Add a publication, before its page is there: one that is remembered in vain does less harm than one forgotten."""
    with alone(out, FOLDER):
        told = [one for one in releases(out, page) if one != release]
        save(out, page, [*told, dict(release)][-MOST:])


def forget(out: Path, page: str, release: Mapping[str, Any]) -> None:
    """Take a publication back that did not come about."""
    with alone(out, FOLDER):
        save(out, page, [one for one in releases(out, page) if one != release])


def save(out: Path, page: str, found: list[dict[str, Any]]) -> None:
    path = record_of(out, page)
    closed(path.parent)
    private(path, json.dumps({"page": page, "releases": found}, indent=1, ensure_ascii=False), out)


def record_of(out: Path, page: str) -> Path:
    """Where the publications of a page are remembered; `page` is its folder below `out`."""
    return folder(out) / RELEASES / f"{page}.json"


def pages(out: Path, question: str) -> list[str]:
    """The pages below one (`<study>/<question>`) whose publications are remembered."""
    return [f"{question}/{path.stem}" for path in sorted((folder(out) / RELEASES / question).glob("*.json"))]


def log(out: Path, page: str, profile: str, when: str, hidden: Iterable[Mapping[str, Any]]) -> None:
    """Append what was hidden on a page to the study's log, a line of JSON each."""
    lines = [{"when": when, "page": page, "profile": profile, **one} for one in hidden]
    if not lines:
        return
    path = folder(out) / HIDDEN / f"{page.partition('/')[0]}.jsonl"
    closed(path.parent)
    with alone(out, FOLDER), os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a") as file:
        file.writelines(json.dumps(line, ensure_ascii=True) + "\n" for line in lines)


def private(path: Path, text: str, out: Path) -> None:
    """A file that only its owner may read, there whole or not at all."""
    put(path, text, out, mode=0o600)


def unreadable(path: Path, out: Path) -> str:
    return (
        f"What was published before cannot be read ({path.relative_to(out)}), so nobody can tell whether this page "
        "beside the earlier ones would single people out. Put that file back from a copy. If no earlier page was ever "
        "shared, or all are withdrawn, delete it and run again."
    )
