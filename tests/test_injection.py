"""Names, labels, values, titles and folders that are code, HTML, formulas, paths or shell words stay text, everywhere."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
import shlex
import subprocess
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from planted.clinic import stays

from researchkit.cli import main
from researchkit.draft import write_draft
from researchkit.export import command
from researchkit.markup import read_yaml

MARK = "researchkit_was_here"
EVIL = {
    "patient": "<b id=canary>patient</b>",
    "ward": "=HYPERLINK(\"http://x.example/?\"&A1,\"ward\")",
    "site": "site'); import os; os.system('touch " + MARK + "'); ('",
    "kindness": "{{ 7*7 }}{% raw %}<script>alert('canary')</script>",
    "trust": "\x1b[2J\x1b]0;canary\x07trust & <img src=x onerror=alert('canary')>",
    "severity": "__import__('os').system('touch " + MARK + "')",
    "age": "@SUM(1+1)*cmd|' /c calc'!A0",
    "e1": "+e1\"><svg onload=alert('canary')>",
}  # fmt: skip
SITES = {
    "North": "=1+1;<script>alert('canary')</script>",
    "South": "../../../" + MARK,
    "West": "\u202e$(touch " + MARK + ")`touch " + MARK + "`\x1b[31m",
}
LABEL = (
    "\x1b[2J<b id=canary onclick=alert('canary')>{} & co</b> =1+1 {{{{ 7*7 }}}} $(touch "
    + MARK
    + ") [x](javascript:alert('canary'))"
)
FOLDER = "=a'; touch " + MARK + "; <b id=canary> $(touch " + MARK + ")"


def study_of(names: dict[str, str]) -> str:
    """The clinic's study with its columns called otherwise, and every label, unit and title hostile."""

    def label(what: str) -> str:
        return LABEL.format(what)

    columns = {
        names["patient"]: {"label": label("patient"), "type": "id"},
        names["ward"]: {"label": label("ward"), "type": "id"},
        names["site"]: {"label": label("site"), "type": "category"},
        names["kindness"]: {"label": label("kindness"), "unit": label("step"), "source": label("rater"), "note": label("note")},
        names["trust"]: {"label": label("trust"), "unit": label("point"), "source": label("patient")},
        "sex": {"label": label("sex"), "codes": {"f": label("f"), "m": label("m")}},
    }  # fmt: skip
    question = {
        "id": "trust",
        "title": label("Is there more trust?"),
        "claim": "MEC-1",
        "family": "recovery",
        "exposure": names["kindness"],
        "outcome": {"column": names["trust"], "kind": "score", "unit": label("point")},
        "adjust": [names["severity"], names["age"], "sex"],
        "smallest_effect": 0.2,
        "alternatives": ["bare"],
    }
    told = {
        "title": label("Stays"),
        "description": label("Stays"),
        "seed": 11,
        "design": "observational",
        "files": "stays.csv",
        "people": names["patient"],
        "clusters": names["ward"],
        "rows": label("stays"),
        "keep": [{"column": names["age"], "minimum": 20, "why": label("too young")}],
        "columns": columns,
        "scales": {"=ease": {"items": [names["e1"], "e2", "e3", "e4"], "reverse": ["e4"], "range": [0, 6], "label": label("ease")}},
        "causes": [f"{names['severity']} -> {names['kindness']}"],
        "alternatives": {"bare": {"label": label("bare"), "adjust": []}},
        "questions": [question],
    }  # fmt: skip
    return json.dumps(told, ensure_ascii=True)


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """The folder of the hostile study, and a place to stand in which commands would leave their mark."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / FOLDER
    folder.mkdir()
    frame = stays(n=240)
    frame["site"] = frame["site"].map(SITES)
    frame.rename(columns=EVIL).to_csv(folder / "stays.csv", index=False)
    (folder / "study.yml").write_text(study_of(EVIL), encoding="utf-8")
    return folder


class Watch(HTMLParser):
    """What a browser would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.policy = ""
        self.inside = False
        self.scripts: list[str] = []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        self.inside = tag == "script" and told.get("type") != "application/json"  # that is data, which no browser runs
        if tag in ("iframe", "object", "embed", "base", "frame") or told.get("id") == "canary":
            self.wrong.append(self.get_starttag_text())
        if tag == "meta" and told.get("http-equiv", "").lower() == "content-security-policy":
            self.policy = told["content"]
        for name, value in attrs:
            if name.startswith("on") or name in ("srcdoc", "formaction", "action"):
                self.wrong.append(f"{tag} {name}")
            ours = tag == "a" and (value or "").startswith("https://doi.org/10.")  # of a published result
            scheme = re.match(r"\s*(?!#|data:)[a-z]+:", value or "", re.IGNORECASE)
            if name in ("href", "src", "xlink:href") and scheme and not ours:
                self.wrong.append(f"{tag} {name}={value[:60]}")
            if "javascript:" in (value or "").lower() and name not in ("alt", "title", "aria-label", "content"):
                self.wrong.append(f"{tag} {name}={value[:60]}")

    def handle_data(self, data):
        if self.inside:
            self.scripts.append(data)

    def handle_endtag(self, tag):
        self.inside = False

    def foreign(self) -> list[str]:
        """Scripts that the page's own policy does not know by their digest."""
        digests = [b64encode(sha256(text.encode()).digest()).decode() for text in self.scripts]
        return [
            text for text, digest in zip(self.scripts, digests, strict=True) if f"'sha256-{digest}'" not in self.policy
        ]


def seen(page: Path) -> Watch:
    watch = Watch()
    watch.feed(page.read_text(encoding="utf-8"))
    watch.close()
    return watch


def cells_of(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text)) for cell in row]


def formula(cell: str) -> bool:
    """Whether a spreadsheet would reckon with a cell."""
    return bool(re.match(r"[=+\-@\t\r]", cell)) and not re.fullmatch(r"[-+]?[\d.,]+(e[-+]?\d+)?%?", cell, re.IGNORECASE)


def harmless(folder: Path, root: Path) -> None:
    """Nothing that was written acts on anybody, and no command of a name was run."""
    pages, sheets = sorted(folder.rglob("*.html")), sorted(folder.rglob("*.csv"))
    assert len(pages) >= 5 and len(sheets) >= 2
    for page in pages:
        watch = seen(page)
        assert watch.wrong == [] and watch.foreign() == [], page
        assert watch.policy.startswith("default-src 'none'"), page
        assert "form-action 'none'" in watch.policy and "base-uri 'none'" in watch.policy, page
        assert not re.search(r"script-src[^;]*'unsafe|connect-src|https?:", watch.policy), page
    for sheet in sheets:
        assert [cell for cell in cells_of(sheet.read_text(encoding="utf-8")) if formula(cell)] == [], sheet
    assert not list(root.rglob(MARK)) and not list(root.parent.glob(MARK))


def quiet(output: str) -> bool:
    """Whether a terminal would only show it."""
    return not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]", output)


def test_a_whole_run_over_a_hostile_study(evil, tmp_path, here):
    words = ["run", str(evil), "--by", EVIL["site"], "--jobs", "1", "--out", str(tmp_path / "reports")]
    found = CliRunner().invoke(main, words)
    assert found.exit_code == 0, found.output
    assert quiet(found.output), found.output
    harmless(tmp_path / "reports", tmp_path)
    for result in (tmp_path / "reports").rglob("result.json"):
        assert result.resolve().is_relative_to((tmp_path / "reports").resolve())
    page = next((tmp_path / "reports").rglob("report.html")).read_text(encoding="utf-8")
    assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|(?<!\d)49(?= on)", page)


def test_the_command_on_a_page_is_one_that_a_shell_takes_as_it_is(evil, tmp_path):
    told = {"study": evil.name, "question": "trust", "by": f"{EVIL['site']}=x", "data": {"disclosure": "none"}}
    line = command({**told, "provenance": {"parameters": {"study": str(evil)}}})
    assert shlex.split(line)[:3] == ["researchkit", "run", str(evil)]
    assert EVIL["site"].partition("=")[0] in shlex.split(line)
    found = subprocess.run(["sh", "-c", f"set -- {line}; echo $#"], capture_output=True, text=True, cwd=tmp_path)
    assert int(found.stdout) == len(shlex.split(line))
    assert not list(tmp_path.rglob(MARK))


def test_a_real_kernel_is_told_hostile_names_as_text(evil, tmp_path):
    site = SITES["South"]
    words = ["run", evil, "--by", f"{EVIL['site']}={site}", "--jobs", "1", "--out", tmp_path / "reports"]
    found = CliRunner().invoke(main, [str(word) for word in words])
    assert found.exit_code == 0, found.output
    book = json.loads(next((tmp_path / "reports").rglob("notebook.ipynb")).read_text(encoding="utf-8"))
    (told,) = [cell for cell in book["cells"] if "injected-parameters" in cell["metadata"].get("tags", [])]
    tree = ast.parse("".join(told["source"]))
    given = {line.targets[0].id: ast.literal_eval(line.value) for line in tree.body if isinstance(line, ast.Assign)}
    assert given["by"] == f"{EVIL['site']}={site}" and Path(given["study"]) in (evil, evil / "study.yml")
    harmless_page = seen(next((tmp_path / "reports").rglob("report.html")))
    assert harmless_page.wrong == []
    assert not list(tmp_path.rglob(MARK))


@pytest.mark.parametrize(
    "words",
    [["check"], ["plan"], ["score"], ["effect", "trust"], ["effect", "trst"], ["why", "trust"], ["claims"]],
    ids=" ".join,
)
def test_no_command_lets_a_terminal_be_steered(evil, words, tmp_path):
    found = CliRunner().invoke(main, [words[0], str(evil), *words[1:]])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    assert quiet(found.output), found.output


def test_errors_do_not_steer_a_terminal_either(evil):
    text = (evil / "stays.csv").read_text(encoding="utf-8").replace(",f,", ",\x1b[2Jf\u202e,", 3)
    (evil / "stays.csv").write_text(text, encoding="utf-8")
    found = CliRunner().invoke(main, ["check", str(evil)])
    assert found.exit_code == 1 and "3 values are neither" in found.output
    assert quiet(found.output), found.output


def test_scores_that_are_written_are_no_formulas(evil, tmp_path):
    found = CliRunner().invoke(main, ["score", str(evil), "--out", str(tmp_path / "scores.csv")])
    assert found.exit_code == 0, found.output
    assert [cell for cell in cells_of((tmp_path / "scores.csv").read_text(encoding="utf-8")) if formula(cell)] == []


NAMES = ["a: b", "- x", "#", "'", '"', "{a}", "&a", "*a", "!!python/object:os.system", "questions:\n  - {}", "yes", "1.0", "\\", "💥", "=1", "%", "@", "a\tb"]  # fmt: skip


def test_a_draft_of_a_hostile_file_is_yaml_that_holds_its_names(tmp_path):
    with (tmp_path / "hostile.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([NAMES, *([f"{row}x{name}" for name in NAMES] for row in range(30))])
    target = write_draft(tmp_path / "hostile.csv", tmp_path / "draft")
    value, _ = read_yaml(target.read_text(encoding="utf-8"), "draft")
    named = {*value["columns"], *(one.get("from") for one in value["columns"].values() if isinstance(one, dict))}
    assert {name.strip() for name in NAMES} <= named
    assert all(isinstance(item, str | int | float | bool | list | dict | None) for item in value.values())


# What must not stand in our code at all

BANNED = {  # a call, and who may make it
    "eval": set(),
    "exec": set(),
    "compile": set(),
    "__import__": set(),
    "pickle.load": set(),
    "pickle.loads": set(),
    "marshal.loads": set(),
    "shelve.open": set(),
    "os.system": set(),
    "os.popen": set(),
    "pd.read_pickle": set(),
    "pd.eval": set(),
    "joblib.load": set(),
    "from_formula": set(),
    "yaml.unsafe_load": set(),
    "yaml.full_load": set(),
    "yaml.load": {"claims.py"},  # by the safe loader, see below
    "tempfile.mktemp": set(),
}


FINE = {"re.compile", "statement.compile"}  # a pattern; a statement, whose values travel beside its text


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def unsafe(name: str, text: str) -> list[str]:
    """Calls that run what they are given, in one module."""
    wrong = []
    for called, node in calls(ast.parse(text)):
        for banned, may in BANNED.items():
            if (called == banned or called.endswith(f".{banned}")) and name not in may and called not in FINE:
                wrong.append(f"{name}:{node.lineno}: {called}")
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if given.get("shell") == "True" or given.get("allow_pickle") == "True":
            wrong.append(f"{name}:{node.lineno}: {called}({given})")
        if called.endswith(("yaml.load", "yaml.compose", "yaml.parse")) and given.get("Loader") not in (
            "FAST",
            "yaml.SafeLoader",
        ):
            wrong.append(f"{name}:{node.lineno}: {called} without a safe loader")
        if (
            called.endswith(".query")
            and node.args
            and "Tree" not in called
            and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
        ):
            wrong.append(f"{name}:{node.lineno}: a query made of names")
    return wrong


def test_nothing_of_ours_runs_what_it_reads(root):
    package = root / "src" / "researchkit"
    modules = {str(path.relative_to(package)): path.read_text(encoding="utf-8") for path in package.rglob("*.py")}
    assert [fault for name, text in modules.items() for fault in unsafe(name, text)] == []
    made = {line.strip() for text in modules.values() for line in text.splitlines() if re.match(r"\s*FAST = ", line)}
    assert made == {'FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)'}


@pytest.mark.parametrize("line", ["eval(x)", "pickle.loads(x)", "import yaml; yaml.load(x, Loader=yaml.Loader)", "subprocess.run(x, shell=True)", "np.load(x, allow_pickle=True)", "frame.query(f'{name} > 1')", "smf.ols.from_formula(x, y)"])  # fmt: skip
def test_a_planted_call_is_caught(line):
    assert unsafe("x.py", line)
