"""The project's own files agree with each other and with what they promise."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

FOLDERS = {"notebooks", "src", "data", "reports", "tests"}
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".yml",
    ".yaml",
    ".lock",
    ".cfg",
    ".cff",
    ".ipynb",
    ".json",
    ".j2",
    ".html",
    ".css",
    ".csv",
    "",
}
LICENCES = {  # as the table of what we depend on says them, and as packages do; the first that fits a piece of text counts
    "LGPL": r"LGPL|Lesser General Public",
    "GPL": r"GPL|General Public License",
    "MPL": r"MPL|Mozilla Public",
    "PSF": r"PSF|Python Software Foundation",
    **{name: name for name in ("MIT", "BSD", "Apache", "ISC", "Zlib", "CC0")},
}
PERMISSIVE = {"MIT", "BSD", "Apache", "ISC", "PSF", "Zlib", "CC0"}
# Imported here, and asked for by the library that works on nothing else.
ALONG = {
    "ipython": "ipykernel",
    "markupsafe": "jinja2",
    "pillow": "matplotlib",
    "pygments": "nbconvert",
    "traitlets": "nbconvert",
}
# Spelled in pieces, so that this file does not name them either.
INDEX = re.compile(r"index[-]url|find[-]links +\S*/|https?://\S+/simpl[e]\b|https?://\S+\.(?:wh[l]|tar\.g[z])\b")
MACHINE = re.compile(r"/(?:roo[t]|hom[e]|User[s])/\w|/wor[k]/(?:main|shared|steering|\.)|[A-Z]:\\User[s]")


@pytest.fixture(scope="module")
def tracked(root):
    """The files in the index, or every file of an unpacked source archive."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout: git lists no files")
    return [root / name for name in listed.stdout.split("\0") if name and (root / name).is_file()]


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def locked(root):
    """Name -> the pinned requirements of the lock, one for each set of conditions."""
    pins: dict[str, list[Requirement]] = {}
    for line in (root / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            pin = Requirement(line.rstrip("\\ "))
            pins.setdefault(canonicalize_name(pin.name), []).append(pin)
    return pins


@pytest.fixture(scope="module")
def environment(root):
    return yaml.safe_load((root / "environment.yml").read_text(encoding="utf-8"))


def direct(project) -> list[tuple[str, Requirement]]:
    groups = {"core": project["dependencies"], **project["optional-dependencies"]}
    return [(group, Requirement(text)) for group, texts in groups.items() for text in texts]


def version(pin: Requirement) -> Version:
    (only,) = pin.specifier
    assert only.operator == "=="
    return Version(only.version)


def test_every_dependency_has_a_lower_bound(project):
    assert [
        str(need) for _, need in direct(project) if not any(s.operator in (">=", "~=", "==") for s in need.specifier)
    ] == []


def test_every_dependency_is_locked_within_its_bounds(project, locked):
    wrong = []
    for group, need in direct(project):
        pins = locked.get(canonicalize_name(need.name), [])
        if not pins or not all(need.specifier.contains(version(pin)) for pin in pins):
            wrong.append(f"{group}: {need}, locked as {[str(pin) for pin in pins]}")
    assert wrong == []


def needs(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed package asks for, on this Python and with these extras."""
    asked = [Requirement(text) for text in distribution(name).requires or []]
    return [
        need
        for need in asked
        if not need.marker or any(need.marker.evaluate({"extra": extra}) for extra in extras | {""})
    ]


def closure(wanted: list[Requirement]) -> set[str]:
    """The packages that an install of these brings, by the metadata of what is installed."""
    found: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        need = wanted.pop()
        one = canonicalize_name(need.name), frozenset(need.extras)
        if one not in found:
            found.add(one)
            wanted += needs(one[0], set(need.extras))
    return {name for name, _ in found}


def licences(name: str) -> set[str]:
    """The licences that an installed package names: its expression, or its classifiers, or the first line of the text."""
    told = distribution(name).metadata
    kinds = [text for text in told.get_all("Classifier", []) if text.startswith("License ::")]
    text = (
        told.get("License-Expression") or " AND ".join(kinds) or (told.get("License") or "").strip().partition("\n")[0]
    )
    parts = re.split(r" AND | OR |\(|\)", text)
    return {next((known for known, sign in LICENCES.items() if re.search(sign, part)), "?") for part in parts if part}


@pytest.fixture(scope="module")
def installed(project):
    """Group -> the packages that it brings."""
    try:
        return {group: closure([need for of, need in direct(project) if of == group]) for group, _ in direct(project)}
    except PackageNotFoundError as error:
        pytest.skip(f"not every extra is installed: {error}")


@pytest.fixture(scope="module")
def audit(root):
    """Library -> its licences, as the table of what we depend on has them."""
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    part = text[text.index("## What we depend on") : text.index("## Renewing the lock")]
    rows = re.findall(r"(?m)^\| `([\w-]+)` \| [^|]+ \| ([\w, ]+) \| 20\d\d-\d\d \| [^|]+ \|$", part)
    return {canonicalize_name(name): set(told.split(", ")) for name, told in rows}


def test_what_we_depend_on_is_told_row_by_row(audit, project):
    assert set(audit) == {canonicalize_name(need.name) for _, need in direct(project)}


def test_licences_are_those_that_are_told(audit, installed, locked):
    """Of the versions in the lock: others may say it otherwise, as numpy 2.1 does."""
    wrong = {
        name: (told, licences(name))
        for name, told in audit.items()
        if Version(distribution(name).version) in map(version, locked[name])
        if not told <= licences(name) or licences(name) - PERMISSIVE - told
    }
    assert wrong == {}


def test_all_is_permissive_but_what_is_named_with_its_reason(root, installed):
    text = " ".join((root / "CONTRIBUTING.md").read_text(encoding="utf-8").split())
    plain, more = re.search(
        r"All licences are permissive, but for ([^.]+) in a plain install, ([^.]+)\.", text
    ).groups()
    told = [
        {
            name: group
            for names, group in re.findall(r"((?:`[\w-]+`(?:, | and )?)+) \((\w+)[^)]*\)", part)
            for name in re.findall(r"`([\w-]+)`", names)
        }
        for part in (plain, more)
    ]
    core = installed["core"]
    rest = set().union(*installed.values()) - core
    found = [
        {name: ", ".join(sorted(licences(name) - PERMISSIVE)) for name in names if licences(name) - PERMISSIVE}
        for names in (core, rest)
    ]
    assert len(core) > 80 and found == told


def test_whatever_is_imported_is_asked_for(root, project):
    imported = set()
    for path in (root / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    known = packages_distributions()
    ours = {"researchkit", *sys.stdlib_module_names}
    packages = {canonicalize_name(known.get(name, [name])[0]) for name in imported - ours}
    asked = {canonicalize_name(need.name) for _, need in direct(project)}
    assert packages - asked == set(ALONG)
    for name, carrier in ALONG.items():
        assert carrier in asked and name in {canonicalize_name(need.name) for need in needs(carrier, set())}


def test_every_pin_carries_hashes(root):
    entries = re.split(r"\n(?=[A-Za-z0-9])", (root / "requirements.lock").read_text(encoding="utf-8").strip())
    assert len(entries) > 100
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_conda_gets_the_same_versions(environment, locked):
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    listed = [Requirement(line) for line in pip if not line.startswith("-")]
    assert sorted(map(str, listed)) == sorted(str(pin) for pins in locked.values() for pin in pins)
    assert [line for line in pip if line.startswith("-")] == ["-e ."]


def test_conda_gets_a_python_that_the_project_allows(environment, project):
    (python,) = [
        Requirement(entry)
        for entry in environment["dependencies"]
        if isinstance(entry, str) and entry.startswith("python")
    ]
    oldest = next(Version(s.version) for s in python.specifier if s.operator == ">=")
    assert project["requires-python"] == f">={oldest}"
    named = [Version(kind.rpartition(" ")[2]) for kind in project["classifiers"] if ":: Python :: 3." in kind]
    assert named[0] == oldest and all(one in python.specifier for one in named)
    assert Version(f"3.{named[-1].minor + 1}") not in python.specifier


def test_no_file_names_an_index_or_a_machine(tracked, root):
    wrong = []
    for path in tracked:
        if path.suffix in TEXT and path.stat().st_size < 2_000_000:
            text = path.read_text(encoding="utf-8", errors="replace")
            wrong += [
                f"{path.relative_to(root)}: {hit[0]}" for hit in (INDEX.search(text), MACHINE.search(text)) if hit
            ]
    assert wrong == []


def test_only_the_five_folders(tracked, root):
    tops = {path.relative_to(root).parts[0] for path in tracked if len(path.relative_to(root).parts) > 1}
    assert {top for top in tops if not top.startswith(".")} <= FOLDERS


def test_notebooks_carry_no_outputs(tracked, root):
    notebooks = [path for path in tracked if path.suffix == ".ipynb"]
    assert notebooks, "there are no notebooks"
    wrong = []
    for path in notebooks:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any(cell.get("outputs") or cell.get("execution_count") for cell in cells):
            wrong.append(str(path.relative_to(root)))
    assert wrong == []


def test_documents_name_only_commands_that_exist(root):
    from researchkit.cli import main

    asked = set()
    for name in ("README.md", "CONTRIBUTING.md"):
        asked |= set(
            re.findall(r"(?m)(?:^ {4}|`|bin/|Scripts\\)researchkit ([a-z]+)", (root / name).read_text(encoding="utf-8"))
        )
    assert {"run", "effect", "check", "data", "claims"} <= asked
    assert asked - set(main.commands) == set()


def test_documents_link_only_to_files_that_exist(root):
    missing = []
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "GLOSSARY.md"):
        text = (root / name).read_text(encoding="utf-8")
        links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
        missing += [f"{name}: {link}" for link in links if not (root / link).exists()]
    assert missing == []


def test_documents_name_only_targets_that_make_knows(root):
    targets = set(re.findall(r"(?m)^([a-z]+):", (root / "Makefile").read_text(encoding="utf-8")))
    asked = set()
    for name in ("README.md", "CONTRIBUTING.md"):
        asked |= set(re.findall(r"(?m)(?:^ {4}|`)make ([a-z]+)", (root / name).read_text(encoding="utf-8")))
    assert {"setup", "reports"} <= asked <= targets


def yaml_in(path) -> list[str]:
    """The pieces of study files that a document shows."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return re.findall(r"```yaml\n(.*?)```", text, re.S)


def test_the_reference_of_study_files_shows_pieces_that_load(root, tmp_path):
    from researchkit.study import load_study

    shown, *parts = yaml_in(root / "notebooks" / "03_study_file.ipynb")
    (tmp_path / "study.yml").write_text(shown, encoding="utf-8")
    assert load_study(tmp_path).question("retention").claim == "LOY-1"
    assert len(parts) == 4
    for part in parts:  # each may be added to the first
        (tmp_path / "study.yml").write_text(shown + part, encoding="utf-8")
        assert load_study(tmp_path).model_fields_set >= yaml.safe_load(part).keys()
    (question,) = yaml_in(root / "README.md")
    head = shown[: shown.index("questions:")]
    (tmp_path / "study.yml").write_text(head + question, encoding="utf-8")
    assert load_study(tmp_path).question("retention").smallest_effect == 0.02


def test_the_reference_names_every_design_of_its_own_and_each_loads(root):
    from researchkit.designs import Design
    from researchkit.parts import Question

    text = (root / "notebooks" / "03_study_file.ipynb").read_text(encoding="utf-8")
    rows = re.findall(r"\| `(\w+): (\{.*?\})`(?: or `(\{.*?\})`)? \|", text)
    kinds = {
        name: field.annotation.__args__[0]
        for name, field in Question.model_fields.items()
        if "|" in str(field.annotation)
    }
    designs = {name: kind for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Design)}
    assert {name for name, *_ in rows} == set(designs)
    for name, *shown in rows:
        for one in filter(None, shown):
            assert designs[name].model_validate(yaml.safe_load(one))


def test_the_readme_is_read_in_two_screens(root):
    lines = (root / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 110 and max(len(line) for line in lines if "|" not in line and "](" not in line) <= 140


def test_the_citation_is_whole_and_of_this_version(root, project):
    cited = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= cited.keys()
    assert (cited["title"], cited["version"], cited["license"]) == (
        project["name"],
        project["version"],
        project["license"],
    )
    assert f"## {project['version']} ({cited['date-released']})" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_glossary_is_in_order(root):
    words = re.findall(r"(?m)^\*\*(.+?)\.\*\*", (root / "GLOSSARY.md").read_text(encoding="utf-8"))
    plain = [re.sub(r"\W", "", word).lower() for word in words]
    assert len(plain) >= 40 and plain == sorted(plain)
