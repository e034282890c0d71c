"""What a notebook can be told: the names in its parameters cell, their defaults, and who reads them.

Papermill by itself accepts a misspelt parameter and runs on the default.
"""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from researchkit.errors import ParameterError, ReportError, listing


def check_parameters(notebook: Path, given: Mapping[str, Any]) -> None:
    """Compare parameters with the notebook's own cell, before a kernel starts.

    Raises
    ------
    ParameterError
        For each that is unknown (not in the parameters cell), unused (no later cell reads it), or mistyped.
    """
    declared, read = parameters_of(notebook)
    problems = []
    for name, value in given.items():
        if name not in declared:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; it has {', '.join(declared)}."
            problems.append(f"unknown parameter {name!r}{hint}")
        elif name not in read:
            problems.append(
                f"unused parameter {name!r}: no cell after the parameters cell reads it, so it changes nothing."
            )
        elif not fits(value, declared[name]):
            wanted, got = type(declared[name]).__name__, type(value).__name__
            problems.append(f"mistyped parameter {name!r}: {value!r} is {got}, and the notebook wants {wanted}.")
    if problems:
        raise ParameterError(listing(str(notebook), problems))


def parameters_of(notebook: Path) -> tuple[dict[str, Any], set[str]]:
    """The parameters cell's names with their default values, and every name that a later cell reads."""
    try:
        text = notebook.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ReportError(f"There is no notebook {notebook}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ReportError(f"{notebook} cannot be read: {error}.") from None
    try:
        return parameters_in(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, or not of this form
        raise ReportError(f"{notebook} is no notebook of format 4: {type(error).__name__}: {error}.") from None
    except LookupError:
        raise ParameterError(f"{notebook} has no cell tagged `parameters`.") from None


@cache
def parameters_in(text: str) -> tuple[dict[str, Any], set[str]]:
    """As `parameters_of`, from the JSON as it stands: loading nbformat takes a second; LookupError without the cell."""
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    trees = [ast.parse("".join(cell["source"])) for cell in code]
    marked = [number for number, cell in enumerate(code) if "parameters" in cell["metadata"].get("tags", [])]
    if not marked:
        raise LookupError
    declared = {
        line.targets[0].id: ast.literal_eval(line.value)
        for line in trees[marked[0]].body
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    }
    later = [node for tree in trees[marked[0] + 1 :] for node in ast.walk(tree) if isinstance(node, ast.Name)]
    return declared, {node.id for node in later if isinstance(node.ctx, ast.Load)}


def fits(value: Any, default: Any) -> bool:
    """Whether a value is of the default's type; a whole number serves where a decimal one is wanted."""
    if default is None:
        return True
    if isinstance(default, float) and not isinstance(value, bool):
        return isinstance(value, int | float)
    return type(value) is type(default)
