"""Pages from templates: one environment, one style, and what stands on the disk is only touched where it changes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from researchkit import wording
from researchkit.export import TEMPLATES, style
from researchkit.glossary import Linker
from researchkit.places import put

INDEX, LEDGER, SHEET, WORDS = "index.html", "ledger.html", "ledger.csv", "glossary.html"
CALIBRATION, PLANTED, CLAIMS = "calibration.html", "planted.html", "claims"
PAGES = (("Reports", INDEX), ("Ledger", LEDGER), ("Glossary", WORDS), ("Calibration", CALIBRATION))


def render(name: str, *view: Mapping[str, Any], home: str | None = "", here: str = "", **more: Any) -> str:
    """A page.

    Parameters
    ----------
    home
        The way from the page's folder to the reports folder: "" or "../" so many times; None where it is not known.
    here
        Which of `PAGES` it is, or belongs to.
    """
    shared = {"home": home, "here": here, "pages": PAGES, "style": looks(), "script": "", "rules": ""}
    told = {name: part for one in (shared, more, *view) for name, part in one.items()}
    return str(template(f"{name}.html.j2").render(told))


@cache
def template(name: str) -> Any:
    return environment().get_template(name)


@cache
def environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
    from markupsafe import Markup

    @pass_context
    def words(context: Any, html: str) -> str:
        """Prose of a page with its terms linked; text is escaped first."""
        return Markup(Linker(f"{context['home']}{WORDS}").told(str(Markup.escape(html))))  # noqa: S704 - escaped here

    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        auto_reload=False,
    )
    made.filters["words"] = words
    made.filters["count"] = wording.count
    return made


@cache
def looks() -> str:
    """The style sheet of these pages: that of every page, and what only they have."""
    return style() + (TEMPLATES / "site.css").read_text(encoding="utf-8")


@cache
def script() -> tuple[str, str]:
    """The one script, and its hash as a content security policy names it."""
    text = (TEMPLATES / "find.js").read_text(encoding="utf-8")
    return text, f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def lay(path: Path, text: str, out: Path) -> None:
    """A page in its place; one that says the same already is left as it is."""
    try:
        if path.read_bytes() == text.encode():
            return
    except OSError:
        pass
    put(path, text, out)
