"""Every kind of page in a real browser, as people meet it: light, dark, narrow, enlarged, on paper, by keys alone.

Skipped, with the reason, where no Chromium is (RESEARCHKIT_BROWSER names one that is not found by its usual names).
Each check is also shown a page with the fault that it is there to find.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import looks
import numpy as np
import pytest
from answers import DATA, execute
from browser import Browser, BrowserError, Tab, chromium

from researchkit import report
from researchkit.report import notebooks_folder, write_failure, write_report
from researchkit.site import write_index

ASKED = {  # a report of each kind: study, question, and the notebook where it is not the question's own
    "loyalty": ("contact_centre", "retention", None),
    "recovery": ("hospital", "readmission", None),
    "burnout": ("hospital", "workload", None),
    "design": ("contact_centre_channels", "every_channel", None),
    "data check": ("contact_centre", "days_as_customer", "01_data_check.ipynb"),
}
PAGES = {name: f"{study}/{question}/report.html" for name, (study, question, _) in ASKED.items()} | {
    "failed": "contact_centre/time_to_solution/report.html",
    "by site": "contact_centre/retention/by-site.html",
    "study": "contact_centre/index.html",
    "index": "index.html",
    "ledger": "ledger.html",
    "claim": "claims/LOY-1.html",
    "glossary": "glossary.html",
    "planted": "planted.html",
    "calibration": "calibration.html",
}
FURTHER = [  # a report of each other design and kind of outcome, for the long version
    f"{study}/{question}/report.html"
    for study, questions in {
        "contact_centre": ["days_as_customer", "recommendation"],
        "contact_centre_channels": ["beyond_the_norm"],
        "contact_centre_detection": ["cue_finds"],
        "contact_centre_limits": ["stated_emphasis", "late_return", "fewer_simple"],
        "contact_centre_rollout": ["training"],
        "contact_centre_talk": ["calming"],
        "contact_centre_tradeoffs": ["worth_its_time", "made_good"],
        "contact_centre_trust": ["trust_spending"],
        "hospital": ["recovery_time"],
        "hospital_teams": ["rotation"],
    }.items()
    for question in questions
]
WHY = "row 7 of interactions.csv: 'severity' is 11, and the study file says 0 to 10"
WIDTHS = (1280, 800, 640, 360, 320)  # 640 and 320: a screen of 1280 at 200 and 400 per cent
SEARCHED = "index.html"  # of all studies: the one page with a script
MOST_SHEETS = {"ledger.html": 36, "calibration.html": 30}  # of paper; other pages take 15 at most
SMALLEST = {320: 8.0}  # pixels, of a letter in a drawing; elsewhere 9


def answer(out: Path, study: str, question: str, notebook: str | None = None) -> None:
    """One report, by a notebook that is run in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(report, "execute", execute)
        patched.setenv("RESEARCHKIT_FORK", "0")
        source = notebooks_folder() / notebook if notebook else None
        made = write_report(DATA / study, question, out=out, notebook=source)
    assert made.status == "ok", made.reason


def make(out: Path) -> None:
    """A reports folder with a page of every kind; the sites beside each other differ by lots that we draw."""
    for asked in ASKED.values():
        answer(out, *asked)
    failed = write_failure(out, "contact_centre", "time_to_solution", None, WHY)
    told = {"study": failed.study, "question": failed.question, "by": None, "status": "stopped", "reason": WHY}
    told["page"] = failed.page.relative_to(out).as_posix()
    (out / "run.json").write_text(json.dumps({"schema": 1, "reports": [told]}), encoding="utf-8")
    whole = json.loads((out / "contact_centre/retention/result.json").read_text(encoding="utf-8"))
    rng = np.random.default_rng(1)
    for place in range(1, 13):
        folder = out / f"contact_centre/retention/site=s{place:02d}"
        folder.mkdir()
        effect = dict(whole["effect"])
        wide, at = float(rng.uniform(2, 5)), float(rng.normal(effect["estimate"], 0.03))
        effect |= {name: at + wide * (effect[name] - effect["estimate"]) for name in ("estimate", "low", "high")}
        effect |= {"se": wide * effect["se"]}
        (folder / "result.json").write_text(json.dumps(whole | {"by": f"site=s{place:02d}", "effect": effect}))
        (folder / "report.html").write_text("<!doctype html><title>A site</title>")
    write_index(out)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(
            "no Chromium is at hand: install it (`apt-get install chromium`), or name one in RESEARCHKIT_BROWSER"
        )
    with Browser(path) as started:
        try:
            started.call("Browser.getVersion")
        except BrowserError as error:
            pytest.skip(f"{path} does not start: {error}")
        yield started


@pytest.fixture(scope="session")
def tab(browser: Browser) -> Iterator[Tab]:
    with browser.tab() as opened:
        yield opened


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One worker at a time."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Path:
    """The folder with all pages, made once for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "seen"
    folder.mkdir(exist_ok=True)
    with alone(folder):
        if not (folder / "reports" / "index.html").exists():
            make(folder / "reports")
    return folder / "reports"


@pytest.fixture(scope="module", params=[*PAGES, *(pytest.param(path, marks=pytest.mark.attack) for path in FURTHER)])
def page(request: pytest.FixtureRequest, reports: Path) -> Path:
    """Each page in turn, for all tests."""
    if request.param in PAGES:
        return reports / PAGES[request.param]
    further = reports.parent / "further"
    with alone(reports.parent):
        if not (further / request.param).exists():
            answer(further, *request.param.split("/")[:2])
    return further / request.param


@pytest.fixture
def axe() -> None:
    if looks.axe() is None:
        pytest.skip("axe-core is not installed: pip install --no-deps --require-hashes -r tests/axe.txt")


def shown(tab: Tab, page: Path, *, width: int = 1280, folded: bool = False, leave: bool = False) -> None:
    """The page on the screen, opened anew unless the test before has left it as it was, with all its parts unfolded."""
    tab.size(width)
    tab.media()
    if tab.at != page:
        tab.open(page)
        if not folded:
            looks.ask(tab, "unfold()")
    if not leave:
        tab.at = None


# Every page


def test_nothing_is_asked_of_a_network_and_nothing_runs(tab, page, reports):
    tab.at = None
    shown(tab, page, leave=True)
    assert looks.leaves(tab) == []
    assert len(looks.ask(tab, "scripts()")) == (page == reports / SEARCHED)


def test_every_word_can_be_read_in_light_and_dark(tab, page):
    shown(tab, page, leave=True)
    assert looks.ask(tab, "contrast()") == []
    tab.media(dark=True)
    assert looks.ask(tab, "contrast()") == []


def test_every_picture_is_told_in_words(tab, page):
    shown(tab, page, leave=True)
    assert looks.ask(tab, "pictures()") == []


def test_no_screen_is_too_narrow(tab, page):
    shown(tab, page, leave=True)
    for width in WIDTHS:
        tab.size(width)
        assert (width, looks.ask(tab, "room()")) == (width, [])
        assert (width, looks.ask(tab, f"letters({SMALLEST.get(width, 9)})")) == (width, [])


def test_every_choice_can_be_made_by_keys_and_leaves_the_page_whole(tab, page):
    shown(tab, page, leave=True)
    assert looks.switches(tab) == []
    assert looks.choices(tab) == []


def test_without_scripts_all_is_there(tab, page):
    words = "document.querySelector('[role=search]')?.remove(), document.body.innerText"  # the search alone needs one
    shown(tab, page)
    wanted = tab.js(words)
    tab.open(page, script=False)
    looks.ask(tab, "unfold()")
    assert tab.js(words) == wanted and len(wanted) > 100


@pytest.mark.usefixtures("axe")
def test_axe_finds_nothing(tab, page):
    shown(tab, page)
    assert looks.accessibility(tab) == []
    tab.media(dark=True)
    assert looks.accessibility(tab, "color-contrast") == []


def test_keys_alone_lead_everywhere_and_out_again(tab, page):
    shown(tab, page)
    assert looks.keys(tab) == []


def test_the_top_can_be_skipped_and_folded_parts_opened_by_keys(tab, page):
    shown(tab, page, folded=True)
    assert looks.skips(tab) == []
    assert looks.folds(tab) == []


@pytest.mark.parametrize(("how", "width"), [("enlarge(2)", 1280), ("enlarge(2)", 360), ("spread()", 360)])
def test_text_may_be_twice_as_large_or_widely_spaced(tab, page, how, width):
    shown(tab, page, width=width)
    looks.ask(tab, how)
    assert looks.ask(tab, "room()") == []


def test_paper_cuts_nothing_and_stays_light(tab, page):
    shown(tab, page, folded=True)
    assert looks.printed(tab, MOST_SHEETS.get(page.name, 15)) == []


def test_what_the_search_finds_is_read_and_reached_by_keys(tab, reports):
    tab.at = None
    shown(tab, reports / SEARCHED, width=360)
    tab.js("document.querySelector('input[type=search]').focus()")
    tab.type("odds")
    assert tab.js("document.querySelectorAll('[role=search] a[href]').length") >= 1
    assert looks.leaves(tab) == looks.ask(tab, "room()") == looks.ask(tab, "contrast()") == []
    tab.press("ArrowDown")
    told = looks.ask(tab, "focused()")
    assert told["name"].startswith("<a> “Odds") and told["faults"] == []
    tab.press("Enter")
    tab.browser.wait("Page.loadEventFired", tab.session)
    assert tab.js("location.pathname.split('/').pop() + location.hash").startswith("glossary.html#")


# Every check, and the page that it must not let pass

GOOD = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<meta name=color-scheme content='light dark'><title>Good</title><style>:root{color-scheme:light dark}"
    "a,summary{color:light-dark(#004a7f,#9cd0ff)}:focus-visible{outline:3px solid light-dark(#004a7f,#9cd0ff)}"
    "@media print{:root{color-scheme:light}figure,tr{break-inside:avoid}}</style>"
    "<body><a href=#main>Skip</a><main id=main><h1>One page</h1>"
    "<p>Words, and <a href=#more>a link</a>.</p><details><summary>More</summary><p id=more>Much more.</p></details>"
    "<svg width=300 height=60 role=img aria-label='A drawing'><rect width=300 height=60 fill=#eee />"
    "<text x=9 y=40 fill=#222>A label</text><text x=150 y=40 fill=#222>Another</text></svg>%s</main>"
)
WORDS = "<br>".join(9 * ["A line"])
ROWS = "<table>" + "".join(f"<tr><td>{WORDS}<td>{row}" for row in range(30))
DRAWING = "<svg role=img aria-label=Tall width=300 height=1500>%s</svg>"
LINES = "".join(f"<text y={y}>Line {y}</text>" for y in range(30, 1490, 20))
Check = Callable[[Tab], list[str]]


def asks(question: str, width: int = 1280, dark: bool = False) -> Check:
    def check(tab: Tab) -> list[str]:
        tab.size(width)
        tab.media(dark=dark)
        looks.ask(tab, "unfold()")
        return looks.ask(tab, question)

    return check


def enlarged(tab: Tab) -> list[str]:
    looks.ask(tab, "enlarge(2)")
    return asks("room()", 360)(tab)


def spaced(tab: Tab) -> list[str]:
    looks.ask(tab, "spread()")
    return asks("room()", 360)(tab)


CHECKS: dict[str, Check] = {
    "axe": looks.accessibility,
    "light": asks("contrast()"),
    "dark": asks("contrast()", dark=True),
    "pictures": asks("pictures()"),
    "keys": looks.keys,
    "skips": looks.skips,
    "folds": looks.folds,
    "room": asks("room()", 360),
    "letters": asks("letters(9)"),
    "enlarged": enlarged,
    "spaced": spaced,
    "paper": looks.printed,
    "switches": looks.switches,
    "choices": looks.choices,
    "leaves": looks.leaves,
    "scripts": asks("scripts()"),
}
PLANTED = [
    ("axe", "<img src=data:image/gif;base64,R0lGODlhAQABAAAAACw=>", "image-alt"),
    ("axe", "<p style='color:#999;background:#fff'>pale</p>", "color-contrast"),
    ("axe", "<input>", "label"),
    ("light", "<p style='color:#999;background:#fff'>pale</p>", "“pale” .* contrast 2.85, and 4.5"),
    ("light", "<details><summary>x</summary><p style='color:#bbb;background:#fff'>folded</p></details>", "“folded”"),
    ("light", "<svg><rect width=99 height=40 fill=#123 /><text y=20 fill=#345>drawn</text></svg>", "“drawn”"),
    ("light", "<svg><path d='M0 0H99V40H0Z' fill=#fff /><text y=20 fill=#222 opacity=.4>faint</text></svg>", "“faint”"),
    ("dark", "<p style='color:#222'>black on black</p>", "“black on black”"),
    ("dark", "<svg><text y=20>black by default</text></svg>", "“black by default”"),
    ("pictures", "<svg role=img width=9 height=9></svg>", "no words"),
    ("keys", "<a href=#x style=outline:none>rimless</a>", "nothing shows"),
    ("keys", "<a href=#x style='outline:3px solid #eee'>pale rim</a>", "the rim of the focus has contrast"),
    ("keys", "<a href=#x tabindex=3>first of all</a>", "comes after|does not come"),
    ("keys", "<a href=#x style='position:absolute;left:-999px'>far away</a>", "nothing shows"),
    ("keys", "<a href=#x style='position:fixed;top:-99px'>above it all</a>", "outside the screen"),
    ("keys", "<a href=#x>under</a><p style='position:fixed;inset:0;background:#fff;margin:0'>lid</p>", "focus under"),
    ("keys", "<button onkeydown='event.preventDefault()'>in here</button><a href=#x>out</a>", "a trap: .*in here"),
    ("skips", "<script>document.querySelector('a').remove();document.querySelector('a').href='x.html'</script>", "does not lead"),
    ("skips", "<script>document.querySelector('main').id=''</script>", "does not lead"),
    ("folds", "<script>document.querySelector('summary').onkeydown=e=>e.preventDefault()</script>", "neither Enter nor"),
    ("room", "<table><tr><td style='min-width:500px'>wide</table>", "scrolls sideways"),
    ("room", "<div style='overflow:hidden;width:60px;white-space:nowrap'>more than fits in here</div>", "cut off: “more"),
    ("room", "<div style='overflow:hidden;height:8px'>half a line</div>", "cut off: “half a line”"),
    ("letters", "<svg width=50 height=50 viewBox='0 0 500 500'><text y=90>tiny</text></svg>", "too small: “tiny”"),
    ("letters", "<svg><text y=30>one label</text><text y=33 x=9>other label</text></svg>", "one upon the other"),
    ("enlarged", "<p style='white-space:nowrap;width:99px'>this just fits on a narrow screen, as yet</p>", "scrolls sideways"),
    ("spaced", "<p style='white-space:nowrap;width:99px'>this just fits on a narrow screen, as long as</p>", "scrolls sideways"),
    ("paper", f"<style>@media print{{tr{{break-inside:auto!important}}}}td{{orphans:1;widows:1}}</style>{ROWS}", "a row of a table is cut"),
    ("paper", DRAWING % LINES, "the figure “Tall” is cut between sheets"),
    ("paper", "<table><tr><td style='min-width:900px'><td>far to the right</table>", "on paper: .*far to the right"),
    ("paper", "<style>@media (prefers-color-scheme:dark){p{color:#006!important}}</style>", "out of the printer"),
    ("paper", f"<style>h2{{orphans:1;widows:1}}</style><p style=height:600px></p><h2>{WORDS}</h2>", "a heading is cut"),
    ("paper", "<style>h2{break-after:page}</style><h2>Alone</h2><p>what it heads</p>", "a heading stands alone"),
    ("paper", "<p style='color:#bbb'>pale</p>", "on paper: “pale” .*contrast"),
    ("switches", "<label><input type=checkbox onkeydown='event.preventDefault()'>stuck</label>", "space bar does not"),
    ("switches", "<form onkeydown='event.preventDefault()'><input type=radio name=a checked><input type=radio name=a></form>", "no arrow key"),
    ("choices", "<style>:root:has(#a:checked) p{color:#aaa}</style><label><input type=checkbox id=a>pale</label>", "with #a: .*contrast"),
    ("choices", "<style>:root:has(#a:checked) p{min-width:2000px}</style><label><input type=radio name=b id=a>wide</label>", "with #a: .*sideways"),
    ("choices", "<style>:root:has(#a:checked) body{color:#eee;background:#111}</style><label><input type=radio name=b id=a>dark</label>", "with #a: on paper: the paper is to be dark"),
    ("leaves", "<img alt='' src=http://example.org/x.png>", "asks for http://example.org/x.png"),
    ("leaves", "<style>@import 'other.css';</style>", "asks for file:.*other.css"),
    ("scripts", "<script>1</script>", "a script: 1"),
    ("scripts", "<p onclick=go()>x</p>", "has onclick"),
]  # fmt: skip


def opened(tab: Tab, folder: Path, more: str) -> None:
    page = folder / "page.html"
    page.write_text(GOOD % more, encoding="utf-8")
    tab.at = None
    shown(tab, page, folded=True)


@pytest.mark.usefixtures("axe")
def test_a_good_page_passes_every_check(tab, tmp_path):
    told = {}
    for name, check in CHECKS.items():
        opened(tab, tmp_path, "")
        told[name] = check(tab)
    assert {name: faults for name, faults in told.items() if faults} == {}


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize(("name", "fault", "words"), PLANTED)
def test_every_check_sees_its_fault(tab, tmp_path, name, fault, words):
    opened(tab, tmp_path, fault)
    found = "\n".join(CHECKS[name](tab))
    assert re.search(words, found), found or "nothing was found"
