"""Whether an attack undoes the answer: every attack there is has its rule, and each rule can say each of its words."""

import ast
from types import SimpleNamespace

import pytest

from researchkit.robustness import TRIED, WORDS, Check, judged


def effect(low=1.0, high=3.0):
    return SimpleNamespace(estimate=(low + high) / 2, low=low, high=high)


CLEAR, OPEN = effect(), effect(-1.0, 3.0)


def names(tree):
    """Every name that a module gives a check: in the call itself, in `name` or `NAME`, or as the key of an attack."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Check", "_check") and node.args:
            yield from texts(node.args[0])
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = zip(target.elts, value.elts, strict=False)
                yield from (text for to, one in pairs if ast.unparse(to) == "name" for text in texts(one))
            elif ast.unparse(target) in ("name", "NAME"):
                yield from texts(value)
        if isinstance(node, ast.FunctionDef) and node.name == "attacks":
            tables = [
                one
                for one in ast.walk(node)
                if isinstance(one, ast.Dict) and len(one.keys) > 1 and all(map(is_attack, one.values))
            ]
            yield from (text for table in tables for key in table.keys for text in texts(key) if text != "words")


def texts(node):
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def is_attack(value):
    first = value.elts[0] if isinstance(value, ast.Tuple) and value.elts else value
    return isinstance(first, ast.Name) and not first.id.isupper()


def test_every_attack_has_its_line_in_the_table_and_no_other(root):
    rooms = (root / "src" / "researchkit" / "robustness").rglob("*.py")
    given = {name for path in rooms for name in names(ast.parse(path.read_text(encoding="utf-8")))}
    assert set(TRIED) - given == set(), "no such attack"
    assert given - set(TRIED) == set(), "an attack without a line"


SAID = [
    ("specification curve", {}, "", CLEAR, "stands"),
    ("specification curve", {}, "fragile: x", CLEAR, "falls"),
    ("thin ends", {}, "thin ends: x", CLEAR, "cannot tell"),
    ("thin ends", {}, "", CLEAR, "stands"),
    ("unmeasured confounder", {"e_value": 2.0}, "", CLEAR, "cannot tell"),
    ("unmeasured confounder", {"strongest_measured": "a"}, "", CLEAR, "stands"),
    ("unmeasured confounder", {"strongest_measured": "a"}, "exposed: x", CLEAR, "falls"),
    ("assumptions", {"p": 0.001, "without": None}, "", CLEAR, "cannot tell"),
    ("assumptions", {"p": 0.2, "without": None}, "", CLEAR, "stands"),
    ("assumptions", {"dispersion": 1.1}, "", CLEAR, "stands"),
    ("assumptions", {"p": 0.001, "without": {}}, "assumption: x", CLEAR, "falls"),
    ("missing data", {"incomplete": 0}, "", CLEAR, "stands"),
    ("missing data", {"incomplete": 9, "imputed": None}, "", CLEAR, "cannot tell"),
    ("missing data", {"incomplete": 9, "imputed": {"estimate": 1}}, "", CLEAR, "stands"),
    ("missing data", {"incomplete": None, "keeps": True}, "", CLEAR, "stands"),
    ("missing data", {"incomplete": None, "keeps": False}, "", CLEAR, "cannot tell"),
    ("missing data", {"incomplete": 9, "imputed": {}}, "fragile: x", CLEAR, "falls"),
    ("influence", {"decide_about_zero": 0.0, "low": 1}, "", CLEAR, "stands"),
    ("influence", {"decide_about_zero": None, "low": 1}, "", CLEAR, "cannot tell"),
    ("influence", {"decide_about_zero": 0.1, "low": 1}, "fragile: x", CLEAR, "falls"),
    ("times before the start", {"fails": ""}, "roll-out: nobody drew lots for who started when", CLEAR, "stands"),
    ("times before the start", {"fails": "apart"}, "", CLEAR, "falls"),
    ("times before the start", {"fails": ""}, "moved apart before the start", CLEAR, "falls"),
    ("starts dealt out anew", {"p": 0.2}, "", CLEAR, "falls"),
    ("starts dealt out anew", {"p": 0.01}, "", CLEAR, "stands"),
    ("starts dealt out anew", {"p": 0.2}, "", OPEN, "stands"),
    ("starts dealt out anew", {"p": 0.01}, "", OPEN, "cannot tell"),
    ("one left out", {"turn_the_sign": 0.0}, "", CLEAR, "stands"),
    ("one left out", {"turn_the_sign": 0.1}, "", CLEAR, "falls"),
    ("one left out", {"turn_the_sign": 0.1}, "", OPEN, "cannot tell"),
    ("mixed model", {"estimate": 1, "low": 0.5, "high": 2}, "", CLEAR, "stands"),
    ("mixed model", {"estimate": -1, "low": -2, "high": 1}, "", CLEAR, "cannot tell"),
    ("mixed model", {"estimate": -1, "low": -2, "high": -0.5}, "", CLEAR, "falls"),
    ("other choices", {"a": {"estimate": 1, "low": 0, "high": 2}, "words": "x"}, "", CLEAR, "stands"),
    ("other choices", {"words": "none was to be had"}, "", CLEAR, "cannot tell"),
    ("trends that part later", {"low": 0.5, "high": 2}, "", CLEAR, "stands"),
    ("trends that part later", {"low": -0.5, "high": 2}, "", CLEAR, "cannot tell"),
    ("trends that part later", {"low": -0.5, "high": 2}, "", OPEN, "cannot tell"),
    ("design", {}, "", CLEAR, None),
    ("an attack of another version", {}, "", CLEAR, None),
]


@pytest.mark.parametrize(("name", "facts", "mark", "found", "word"), SAID)
def test_the_word_is_that_of_the_table(name, facts, mark, found, word):
    assert judged(Check(name, "x", facts, mark=mark), found, lots=False) == word
    assert word is None or word in WORDS


def test_lots_keep_out_a_cause_that_nobody_measured():
    assert judged(Check("unmeasured confounder", "x", {"e_value": 2.0}), CLEAR, lots=True) == "stands"


def test_what_could_not_run_was_not_tried():
    check = Check("influence", "x", reason="there is one group only")
    assert judged(check, CLEAR, lots=False) == "not tried"


def test_the_result_tells_word_mark_and_method_of_every_check(answered):
    answer = answered("contact_centre", "retention")
    told = {one["check"]: one for one in answer.to_dict()["robustness"]}
    assert [check.mark for check in answer.checks] == [one["mark"] for one in told.values()]
    assert all(one["word"] in (*WORDS, None) and "source" in one for one in told.values())
    assert told["unmeasured confounder"]["word"] == "falls" and told["unmeasured confounder"]["mark"].startswith(
        "exposed"
    )
    assert told["specification curve"]["word"] == "stands" and told["design"]["word"] is None
    assert "Gelman" in told["design"]["source"]
