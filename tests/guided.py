"""Inputs that look for new branches of the readers and of the study file: `make fuzz`.

    python tests/guided.py study|text SECONDS [FOLDER]

Begins with the committed studies, or with small tables, and changes bytes; an input that reaches a branch that none
reached is kept in FOLDER and changed on. Ends with the first that is answered by neither a result nor a ResearchkitError,
or takes 20 seconds; it is left in the working folder. Needs atheris (tests/guided.txt). Not collected by pytest.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["researchkit"]):
    from researchkit.dataset import load_dataset
    from researchkit.draft import write_draft
    from researchkit.errors import ResearchkitError
    from researchkit.study import load_study

ROOT = Path(__file__).resolve().parents[1]
TABLES = (
    b"score,site,day\n1,North,2024-01-02\n2,South,\n",
    b"a;b;c\n1,5;x;02.01.2024\n3,5;y;\n",
    b'\xef\xbb\xbf"id","score"\r\n"1","3"\r\n"2",""\r\n',
)


def study(folder: Path, data: bytes) -> None:
    (folder / "visits.csv").write_text("kindness,trust,ward\n1,2,a\n2,3,b\n3,5,a\n", encoding="utf-8")
    (folder / "study.yml").write_bytes(data)
    load_study(folder)


def text(folder: Path, data: bytes) -> None:
    (folder / "x.csv").write_bytes(data)
    shutil.rmtree(folder / "drafted", ignore_errors=True)
    write_draft(folder / "x.csv", folder / "drafted")
    load_dataset(load_study(folder / "drafted"))


def tried(work: Callable[[Path, bytes], None], folder: Path) -> Callable[[bytes], None]:
    def one(data: bytes) -> None:
        try:
            work(folder, data)
        except ResearchkitError:
            pass

    return one


def main(what: str, seconds: str, kept: str | None = None) -> None:
    folder = Path(tempfile.mkdtemp())
    found = Path(kept) if kept else folder / "found"
    found.mkdir(parents=True, exist_ok=True)
    begin = TABLES if what == "text" else [path.read_bytes() for path in sorted(ROOT.glob("data/*/study.yml"))]
    for number, data in enumerate(begin):
        (found / f"begin-{number}").write_bytes(data)
    warnings.simplefilter("ignore")  # of other libraries, on odd input
    limits = [f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=4000", "-max_len=4000", str(found)]
    atheris.Setup([sys.argv[0], *limits], tried({"study": study, "text": text}[what], folder))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
