"""The arrows that a study believes in, against what its questions adjust for.

`causes: [severity -> compassion, severity -> retained, compassion -> trust -> retained]` says what acts on what. From
that follows which adjustment opens the way to the effect, and which one closes it or opens a false path (Pearl 2009,
Causality, section 3.3.1: the back-door criterion). What is believed may be wrong; a question is only held to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from researchkit.errors import some

if TYPE_CHECKING:
    from researchkit.parts import Question
    from researchkit.study import Study


@dataclass(frozen=True)
class Audit:
    """What the arrows say of one question's adjustment.

    `reason` is set when they say nothing; `faults` are sentences; `enough` is a set of columns that would do, None when
    no measured set would.
    """

    reason: str | None
    faults: tuple[str, ...]
    enough: tuple[str, ...] | None


def audit(study: Study, question: Question) -> Audit:
    """Hold a question's adjustment set to the study's arrows."""
    import networkx as nx

    graph = arrows(study)
    exposure, outcome = question.exposure.column, outcome_in(graph, question)
    if not study.causes:
        return Audit("the study file draws no arrows under `causes:`", (), None)
    if not nx.is_directed_acyclic_graph(graph):
        circle = " -> ".join(str(edge[0]) for edge in nx.find_cycle(graph))
        return Audit(f"the arrows run in a circle: {circle}", (), None)
    if exposure not in graph or outcome is None:
        lacking = exposure if exposure not in graph else question.outcome.column
        return Audit(f"no arrow touches {lacking}", (), None)
    adjust = [name for name in question.adjust if name in graph]
    faults = after_exposure(graph, exposure, outcome, adjust)
    before = [name for name in adjust if name not in nx.descendants(graph, exposure)]
    back = graph.copy()
    back.remove_edges_from(list(graph.out_edges(exposure)))
    enough = separator(study, graph, back, exposure, outcome)
    if not nx.is_d_separator(back, {exposure}, {outcome}, set(before)):
        faults.append(open_path(enough, before))
    return Audit(None, tuple(faults), enough)


def arrows(study: Study) -> Any:
    """The graph of all arrows; a chain `a -> b -> c` is two."""
    import networkx as nx

    graph = nx.DiGraph()
    for chain in study.causes:
        nx.add_path(graph, [step.strip() for step in chain.split("->")])
    return graph


def outcome_in(graph: Any, question: Question) -> str | None:
    """The outcome's name in the arrows: its column, or the event's where it is a duration."""
    names = (question.outcome.column, question.outcome.event)
    return next((name for name in names if name in graph), None)


def after_exposure(graph: Any, exposure: str, outcome: str, adjust: list[str]) -> list[str]:
    """What is adjusted for although the exposure acts on it: mediators take the effect away, colliders feign one."""
    import networkx as nx

    later, before = nx.descendants(graph, exposure), nx.ancestors(graph, outcome)
    mediators = [name for name in adjust if name in later and name in before]
    others = [name for name in adjust if name in later and name not in before]
    faults = []
    if mediators:
        faults.append(f"{some(mediators)} lies between exposure and outcome: adjusting takes part of the effect away")
    if others:
        faults.append(f"{some(others)} comes after the exposure: adjusting can feign an effect")
    return faults


def separator(study: Study, graph: Any, back: Any, exposure: str, outcome: str) -> tuple[str, ...] | None:
    """A smallest set of measured columns that closes every back door, or None."""
    import networkx as nx

    measured = study.columns.keys() | study.scales.keys() | {name for one in study.questions for name in one.columns}
    allowed = (set(graph) & measured) - nx.descendants(graph, exposure) - {exposure, outcome}
    found = nx.find_minimal_d_separator(back, exposure, outcome, restricted=allowed)
    return None if found is None else tuple(sorted(found))


def open_path(enough: tuple[str, ...] | None, adjusted: list[str]) -> str:
    """What is lacking from the adjustment."""
    if enough is None:
        return "something that was not measured acts on both: no adjustment of these columns would do"
    lacking = [name for name in enough if name not in adjusted]
    if not lacking:
        return f"adjusting for {some(adjusted)} opens a false path; {some(enough) or 'nothing'} alone would do"
    return f"{some(lacking)} acts on exposure and outcome and is not adjusted for"
