"""The public names as somebody meets them who types `rk.` and asks with a question mark."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import re
import subprocess
import sys
import tempfile
from functools import reduce
from pathlib import Path
from types import ModuleType

import pytest

import researchkit as rk

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
NAMES = [name for name in rk.__all__ if name != "__version__"]
OURS = [name for name in NAMES if not isinstance(getattr(rk, name), ModuleType)]


def called() -> set[str]:
    """What the notebooks and lessons call by its name: "story.asked", "load_study"."""
    found = set()
    for path in NOTEBOOKS.rglob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                for node in ast.walk(ast.parse("".join(cell["source"]))):
                    if isinstance(node, ast.Call) and (words := ast.unparse(node.func)).startswith("rk."):
                        found.add(words.removeprefix("rk."))
    return found


def test_the_tab_key_offers_every_public_name_and_nothing_else_before_anything_is_loaded():
    code = (
        "import researchkit as rk, sys\n"
        "from IPython.core.completer import IPCompleter\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "found = IPCompleter(shell=InteractiveShell(), namespace={'rk': rk}, use_jedi=False).complete('rk.')[1]\n"
        "print('pandas' in sys.modules, *found)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    loaded, *offered = said.split()
    assert loaded == "False", "to look is not to load"
    assert {name.removeprefix("rk").lstrip(".") for name in offered} == set(NAMES)


@pytest.mark.parametrize("name", OURS)
def test_a_question_mark_shows_an_example_that_runs(name, root, here, monkeypatch, tmp_path):
    monkeypatch.chdir(root)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(rk, name), name, globs={})
    assert example.examples, f"{name} shows no example"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("name", sorted({*called(), *NAMES} - set(OURS)))
def test_whatever_a_notebook_calls_says_what_it_is(name):
    found = reduce(getattr, name.split("."), rk)
    words = inspect.getdoc(found) or ""
    assert re.match(r"[\w\"`“]", words) and len(words.split()) >= 4, f"{name}: {words!r}"
