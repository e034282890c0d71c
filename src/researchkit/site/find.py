"""What the search finds: questions, studies, claims and words, each with the page it leads to.

The index stands in the page as JSON; no letter of it can end the element that holds it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from researchkit.claims import claims, said_in
from researchkit.glossary import terms
from researchkit.site import claim
from researchkit.site.book import GROUPS
from researchkit.site.draw import WORDS

Entry = tuple[str, str, str, str]  # kind, title, link, and more words to find it by; shown, too


def entries(studies: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Everything that can be found, in the order in which equals are listed."""
    found: list[Entry] = []
    for study in studies:
        if study["link"]:
            found.append(("Study", study["title"], study["link"], study["origin"]))
        for one in study["questions"]:
            found += question(one)
    for one in claims():
        found.append(
            ("Claim", f"{one.id}: {one.statement}", claim.place(one.id), f"{GROUPS[one.group]} · {said_in(one)}")
        )
    for term in terms():
        found.append(("Word", term.name, f"{WORDS}#{term.anchor}", term.plain))
    return found


def question(one: Mapping[str, Any]) -> Iterable[Entry]:
    """A question and its reports by group; what has no page cannot be led to."""
    row, stop = one["row"], one["stop"]
    told = row or stop
    if told and told["link"]:
        word = row["word"] if row else stop["status"]
        more = (one["family"].capitalize(), one["claim"], one["study"], word)
        yield "Question", one["title"], told["link"], " · ".join(filter(None, more))
    for part in one["parts"]:
        for each in part["rows"]:
            if each["link"]:
                word = each.get("status") or each["word"]
                yield (
                    "Report",
                    f"{one['title']} {part['by']}: {each['value']}",
                    each["link"],
                    f"{one['study']} · {word}",
                )


def embedded(found: Sequence[Entry]) -> str:
    """The index as JSON for a script element: what could end that, or begin another, is written as its number."""
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return "".join(f"\\u{ord(letter):04x}" if letter in "<>&\u2028\u2029" else letter for letter in text)
