"""What faces each kind of rival explanation in a plain contrast, and what it would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from researchkit.claims import Rival
from researchkit.rivals.seen import Seen

Rule = Callable[[Seen, Rival], Sequence[str]]  # what faces a rival; "" for what does not
RULES: dict[str, Rule] = {
    "confounder": lambda seen, rival: (seen.lots, seen.adjusted(rival.words)),
    "standing": lambda seen, rival: (seen.lots, seen.adjusted(rival.words), seen.itself_in(rival)),
    "trend": lambda seen, rival: (seen.lots, seen.adjusted(rival.words), seen.in_time),
    "reverse": lambda seen, rival: (seen.lots, seen.adjusted(rival.words), seen.rollout, seen.before),
    "selection": lambda seen, _: (seen.lots, seen.rollout),
    "regression": lambda seen, _: (seen.lots, seen.rollout, seen.before),
    "one source": lambda seen, _: (seen.lots, seen.apart),
    "demand": lambda seen, _: (seen.recorded,),
    "blind": lambda seen, _: (seen.recorded,),
    "dropout": lambda seen, _: (seen.recorded,),
    "ecological": lambda seen, _: (_people(seen),),
    "rare": lambda seen, _: (_events(seen),),
    "measure": lambda seen, _: (),
    "raters": lambda seen, _: (seen.rated(),),
    "differs": lambda seen, _: (seen.across(),),
    "other": lambda seen, _: (),
}
WANTED = {  # what it would take
    "confounder": "lots, or adjusting for it",
    "standing": "lots, adjusting for it, or each unit against itself",
    "trend": "lots, or others at the same time who do not have it yet",
    "reverse": "lots, a roll-out, or the outcome as it was before",
    "selection": "lots, or a roll-out to all",
    "regression": "lots, a roll-out, or the outcome as it was before",
    "one source": "lots, or sources apart that the study file names",
    "demand": "an outcome from records or from somebody blind",
    "blind": "an outcome from records or from somebody blind",
    "dropout": "an outcome from records",
    "ecological": "rows that are people",
    "rare": "more events",
    "measure": "holding it against what is true",
    "raters": "two raters or more, and how far they agree",
    "differs": "comparing what it means, or how well it sees, in each group",
    "other": "a judgement that no rule makes: read the report",
}


def _people(seen: Seen) -> str:
    table = seen.study.tables[seen.study.table_of(seen.question)]
    return "" if table.aggregates else "rows are not averages"


def _events(seen: Seen) -> str:
    counted = seen.question.outcome.kind in ("yes_no", "ordered", "duration")
    if seen.effect is None or not counted:
        return ""
    return "" if any(note.startswith("few events") for note in seen.effect.notes) else "events enough"
