"""What simulated studies had planted, and what their answers made of it.

Only the results are read: each carries the truth that lay beside its study file. A claim is met where every question
about it has the verdict that it deserves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from researchkit import wording
from researchkit.claims import claims
from researchkit.site.claim import place as claim_page
from researchkit.tables import Table, frame

HEADERS = ["Claim", "Asked", "Study", "Planted", "Estimate", "95 % interval", "Holds it", "Deserved", "Given"]


def held(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each answer of a simulated study beside what was planted, in the order of the claims.

    `rows` are those of `rows.rows_of`. `met` says whether the verdict given is the one deserved, `holds` whether the
    interval holds the truth; None where disclosure hides it.
    """
    order = {claim.id: place for place, claim in enumerate(claims())}
    found = [row for row in rows if not row.get("unread") and row["planted"] and not row["by"]]
    return [_held(row) for row in sorted(found, key=lambda row: (order.get(row["claim"], len(order)), row["key"]))]


def _held(row: Mapping[str, Any]) -> dict[str, Any]:
    told, low, high = row["planted"], row["exact"]["low"], row["exact"]["high"]
    scale, _ = wording.scale(row["exact"]["unit"] or "")
    known = isinstance(low, int | float) and isinstance(high, int | float)
    return {
        **{name: row[name] for name in ("claim", "title", "link", "study", "estimate", "limits", "unit", "chip")},
        "page": claim_page(row["claim"]),
        "truth": wording.number(scale * told["truth"], sign=True),
        "deserved": told["deserves"],
        "given": row["word"],
        "met": row["word"] == told["deserves"],
        "holds": low <= told["truth"] <= high if known else None,
        "how": told["how"],
    }


def counts(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many questions and claims got what they deserve, which claims did not, and which nobody asked about."""
    every = list(lines)
    asked = {line["claim"] for line in every}
    missed = {line["claim"] for line in every if not line["met"]}
    known = [claim.id for claim in claims()]
    return {
        "questions": len(every),
        "met": sum(line["met"] for line in every),
        "claims": sum(one in asked for one in known),
        "claims_met": sum(one in asked - missed for one in known),
        "missed": [one for one in known if one in missed],
        "unasked": [one for one in known if one not in asked],
        "intervals": sum(line["holds"] is not None for line in every),
        "holding": sum(line["holds"] is True for line in every),
    }


def table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The same as a table, with the counts below it."""
    lines = held(rows)
    told = [
        {
            **{"Claim": line["claim"], "Asked": line["title"], "Study": line["study"], "Planted": line["truth"]},
            **{"Estimate": f"{line['estimate']} {line['unit']}", "95 % interval": line["limits"]},
            "Holds it": {True: "yes", False: "no", None: "not shown"}[line["holds"]],
            **{"Deserved": line["deserved"], "Given": line["given"]},
        }
        for line in lines
    ]
    return frame(pd.DataFrame(told, columns=HEADERS), "Planted, and found", words(lines))


def words(lines: Iterable[Mapping[str, Any]]) -> str:
    """The counts in a sentence or two."""
    found = counts(lines)
    if not found["questions"]:
        return "No simulated study with a known truth has been answered here."
    told = (
        f"{found['met']} of {found['questions']} verdicts are the ones deserved; of {len(claims())} claims, "
        f"{found['claims']} were asked about and {found['claims_met']} got only what they deserve. "
        f"{found['holding']} of {found['intervals']} intervals hold the truth."
    )
    return told + (f" Not what was deserved: {', '.join(found['missed'])}." if found["missed"] else "")
