"""Figures: the same bytes for the same data, words written from the numbers, nobody singled out."""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import colour
import numpy as np
import pytest

from researchkit import figures
from researchkit.errors import EstimationError
from researchkit.figures import Curve, ink, letters
from researchkit.figures import sheet as sheets
from researchkit.figures.sheet import sheet

NASTY = 'a "$x" </svg><script>alert(1)</script> & \x00 $5'


class Study(SimpleNamespace):
    def label(self, name):
        return self.labels.get(name, name)


def asked(kind="yes_no", **more):
    outcome = SimpleNamespace(column="retained", kind=kind, unit=more.pop("unit", None), label="Still a customer")
    exposure = SimpleNamespace(column="compassion", label=None, per=1.0, reference=None, level=None)
    facts = {"id": "retention", "outcome": outcome, "exposure": exposure, "smallest_effect": 0.02}
    return SimpleNamespace(**(facts | more))


def answer(estimate=0.031, low=0.023, high=0.039, label="Still a customer"):
    def effect(*numbers):
        names = dict(zip(("estimate", "low", "high"), numbers, strict=True))
        return SimpleNamespace(unit="probability", contrast="compassion +1 point", level=0.95, **names)

    question = asked()
    question.outcome.label = label
    study = Study(labels={}, columns={}, disclosure="none")
    return SimpleNamespace(
        study=study, question=question, effect=effect(estimate, low, high), crude=effect(0.051, 0.042, 0.06)
    )


def dataset(outcome, exposure, cluster=None, **more):
    everybody = np.ones(len(exposure), dtype=bool)
    facts = {
        "binary_exposure": False,
        "level_values": (),
        "offset_time": None,
        "weights": None,
        "arms": None,
        "person": None,
    }
    facts["compared"] = lambda exposure: everybody
    facts["heads"] = lambda rows: int(rows.sum())
    sample = SimpleNamespace(
        outcome=np.array(outcome, float), exposure=np.array(exposure, float), cluster=cluster, **(facts | more)
    )
    return SimpleNamespace(study=Study(labels={}, columns={}, disclosure="none"), sample=lambda question: sample)


def test_the_same_numbers_give_the_same_bytes():
    one, other = figures.interval(answer()), figures.interval(answer())
    assert one.svg == other.svg and one.png == other.png and one.to_html() == other.to_html()
    assert figures.interval(answer(estimate=0.032)).svg != one.svg


def test_a_sheet_that_was_laid_aside_is_drawn_on_like_any_other(monkeypatch):
    monkeypatch.setattr(sheets, "_spare", [])
    fresh = figures.interval(answer())
    sheets.ready()
    aside = figures.interval(answer())
    assert len(sheets._spare) == sheets.SHEETS - 1
    assert (aside.svg, aside.png) == (fresh.svg, fresh.png)


def test_the_alternative_text_is_written_from_the_plotted_numbers():
    alt = figures.interval(answer()).alt
    assert "Adjusted: +3.1 percentage points (95 % interval 2.3 to 3.9)" in alt
    assert "Crude: +5.1" in alt and "−2.0 and 2.0" in alt


def test_the_band_is_drawn_where_the_study_put_it():
    assert figures.band("probability", 0.02) == (-2.0, 2.0)
    assert figures.band("points", 0.5) == (-0.5, 0.5)


def test_text_stays_text_and_dollars_stay_dollars():
    figure = figures.forest([(NASTY, 1.0, 0.5, 1.5)], title=NASTY, unit="cost in $ per $x$")
    words = "".join(ElementTree.fromstring(figure.svg).itertext())  # noqa: S314 -- our own drawing
    assert '"$x"' in words and "cost in $ per $x$" in words
    assert "<script" not in figure.to_html()


def test_colours_on_the_page_are_the_page_s_own_and_the_download_keeps_its_own():
    figure = figures.interval(answer())
    page = ink.inline(figure.svg, figure.name, figure.alt)
    assert "var(--blue" in page and ink.BLUE not in re.sub(r"var\([^)]*\)", "", page)
    assert ink.BLUE in figure.svg and "var(" not in figure.svg


def cut():
    """A drawing whose line reaches out of its axes."""
    with sheet(100) as page:
        page.axes.plot([0, 1, 2], [0, 5, 0], color=ink.BLUE)
        page.axes.set_ylim(0, 1)
        return page.printed()[0]


def test_no_two_figures_of_a_page_share_an_id_and_every_reference_is_kept():
    pages = [ink.inline(cut(), name, "") for name in ("one", "other")]
    ids = [re.findall(r'\bid="([^"]+)"', page) for page in pages]
    for page, own in zip(pages, ids, strict=True):
        pointed = re.findall(r'(?:url\(|href=")#([^")]+)', page)
        assert pointed and set(pointed) == set(own)
    assert not set(ids[0]) & set(ids[1])


def test_only_what_reaches_out_is_cut():
    assert "clip-path" in cut() and "clip-path" not in figures.interval(answer()).svg


def test_a_figure_is_one_image_with_words_numbers_and_downloads():
    html = figures.interval(answer()).to_html()
    assert html.count('role="img"') == 1 and 'aria-label="Adjusted: +3.1' in html
    assert "<details>" in html and "<caption>" in html
    links = re.findall(r'download="([^"]+)" href="data:[^;]+;base64,([^"]+)"', html)
    assert [name for name, _ in links] == [f"retention-interval.{kind}" for kind in ("svg", "png", "csv")]
    assert base64.b64decode(links[1][1]).startswith(b"\x89PNG")
    assert b"label,estimate,low,high" in base64.b64decode(links[2][1])
    assert len(html) < 40_000


def test_a_drawing_by_itself_tells_what_it_shows():
    figure = figures.forest([(NASTY, 1.0, 0.5, 1.5)], title=NASTY, unit="r")
    root = ElementTree.fromstring(figure.alone())  # noqa: S314 -- our own drawing
    assert [root[0].text, root[1].text] == [ink.clean(NASTY), ink.clean(figure.alt)] and root.attrib["role"] == "img"


def test_a_row_without_an_interval_is_counted_not_drawn():
    figure = figures.forest([("a", 1.0, 0.5, 1.5), ("b", 1.0, math.nan, 2.0)], unit="r")
    assert "1 without an interval is not drawn" in figure.caption and "b:" not in figure.alt
    assert "Nothing to draw" in figures.forest([]).alt


def test_specifications_are_sorted_and_know_the_planned_one():
    figure = figures.specifications([("x", 3.0, 2.0, 4.0), ("", -1.0, -2.0, 0.5), ("y", 2.0, 1.0, 3.0)], planned=0)
    assert figure.data["estimate"].tolist() == [-1.0, 2.0, 3.0]
    assert figure.data["planned"].tolist() == [False, False, True]
    assert "2 lie above 0" in figure.alt


def test_alternatives_are_drawn_apart_under_letters_with_a_key():
    rows, others = [("x", 3.0, 2.0, 4.0), ("", -1.0, -2.0, 0.5)], [("No phone", 2.5, 1.5, 3.5), (NASTY, 5.0, 1.0, 9.0)]
    plain = figures.specifications(rows, planned=0, unit="days")
    figure = figures.specifications(rows, planned=0, alternatives=others, unit="days")
    words = list(ElementTree.fromstring(figure.svg).itertext())  # noqa: S314 -- our own drawing
    assert {"A", "B", "A No phone"} <= {word.strip() for word in words}
    assert figure.data["alternative"].tolist() == [False, False, True, True]
    assert figure.data["estimate"].tolist() == [-1.0, 3.0, 2.5, 5.0]
    assert "2 specifications, estimates from −1.0 to 3.0 days; 1 lie above 0." in figure.alt
    assert "Planned alternatives. No phone: +2.5 (1.5 to 3.5)." in figure.alt
    assert ink.ORANGE in figure.svg and ink.ORANGE not in plain.svg
    assert "planned alternative" in figure.caption and "alternative" not in plain.caption + plain.alt


def test_there_is_no_half_way_to_adjust():
    figure = figures.specifications([("x", 40.0, 30.0, 50.0), ("", 50.0, 40.0, 60.0), ("y", 60.0, 50.0, 70.0)])
    words = [word.strip() for word in ElementTree.fromstring(figure.svg).itertext()]  # noqa: S314 -- our own drawing
    assert [words.count(place) for place in ("1", "1.5", "2", "2.5", "3")] == [1, 0, 1, 0, 1]


def test_one_way_alone_is_drawn_with_its_interval():
    """Where nothing is adjusted for, the curve is one way and its alternatives."""
    figure = figures.specifications([("nothing", 3.0, 2.0, 4.0)], planned=0)
    across = re.findall(rf'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)"[^>]*stroke:{ink.BLUE}', figure.svg)
    assert any(start == end and low != high for start, low, end, high in across)
    assert "1 way to adjust" in "".join(ElementTree.fromstring(figure.svg).itertext())  # noqa: S314 -- our own drawing


def test_dose_gives_the_mean_of_each_level_with_its_t_interval():
    outcome = [1.0, 2.0, 3.0, 4.0] * 5 + [2.0, 4.0] * 10
    figure = figures.dose(dataset(outcome, [1] * 20 + [2] * 20), asked("score"))
    first = figure.data.iloc[0]
    half = 2.093024 * np.std(outcome[:20], ddof=1) / math.sqrt(20)  # t(19), 97.5 %: tables
    assert first["mean"] == 2.5
    assert (first["low"], first["high"]) == pytest.approx((2.5 - half, 2.5 + half), rel=1e-6)


def test_dose_knows_of_clusters():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(20), 30)
    outcome = rng.normal(size=20)[cluster] + 0.1 * rng.normal(size=600)
    widths = []
    for codes in (None, cluster):
        data = figures.dose(dataset(outcome, np.ones(600), codes), asked("score")).data
        widths.append(float(data["high"].iloc[0] - data["low"].iloc[0]))
    assert widths[1] > 4 * widths[0]  # 30 alike in each cluster: about sqrt(30) times


def test_dose_cuts_many_values_into_fifths_and_yes_no_into_per_cent():
    exposure = np.linspace(0, 1, 500)
    figure = figures.dose(dataset(exposure > 0.5, exposure), asked())
    assert len(figure.data) == 5 and figure.data["mean"].tolist()[0] == 0.0
    assert figure.data["mean"].tolist()[-1] == 100.0 and "fifths" in figure.caption


def test_dose_gives_counts_per_time():
    figure = figures.dose(
        dataset([1, 3] * 10, [1] * 20, offset_time=np.array([1.0, 3.0] * 10)), asked("counts", unit="contacts")
    )
    assert figure.data["mean"].tolist() == [1.0]


def test_dose_hides_small_groups_and_refuses_durations():
    data = dataset([0, 1] * 30 + [1] * 3, [1] * 20 + [3] * 40 + [2] * 3)
    figure = figures.dose(data, asked())
    # 63 less 40 less 20 would be 3, so the next smallest level goes too
    assert figure.data["n"].tolist() == [40] and "2 that could single out fewer than 10 people" in figure.caption
    with pytest.raises(EstimationError, match=r"no level of the exposure has 50 people"):
        figures.dose(data, asked(), fewest=50)
    with pytest.raises(EstimationError, match=r"figures\.curves"):
        figures.dose(data, asked("duration"))


def test_dose_hides_a_share_that_stands_for_a_few_people_and_counts_people_not_rows():
    outcome, exposure = [1] * 2 + [0] * 98 + [1, 0] * 100, [1] * 100 + [2] * 100 + [3] * 100
    assert len(figures.dose(dataset(outcome, exposure), asked()).data) == 1
    data = dataset(outcome, exposure, person=np.zeros(300, dtype=int))
    with pytest.raises(EstimationError, match="has 10 people"):
        figures.dose(data, asked("score"))


def test_a_histogram_hides_bins_of_few_and_the_one_that_would_give_them_away():
    figure = figures.distribution([0] * 40 + [1] * 12 + [2] * 3 + [float("nan")], "Exhaustion")
    people = figure.data["count"].astype(object)
    assert people.tolist()[0] == 40 and figure.data["count"].isna().tolist() == [False, True, True]
    assert "fewer than 10 without a score" in figure.caption and "2 bins" in figure.caption
    assert ",3" not in figure.to_csv()
    with pytest.raises(EstimationError, match="3 scores are too few"):
        figures.distribution([1, 2, 3], "Exhaustion")


def curve(label="Kind"):
    return Curve(label, [1, 5, 9], [0.9, 0.5, 0.2], [0.8, 0.4, 0.1], [1.0, 0.6, 0.3], [100, 50, 4])


def test_a_curve_holds_its_value_until_the_next_step():
    assert curve().at(0.5)[0] == 1.0 and curve().at(1)[0] == 0.9 and curve().at(8.9)[0] == 0.5
    assert [curve().still(time) for time in (0, 1, 3, 9, 9.5)] == [100, 100, 50, 4, None]


def test_curves_tell_their_ends_and_hide_who_is_nearly_alone():
    figure = figures.curves([curve(), curve(NASTY)], horizon=9, unit="days", title="T")
    assert "At 9 days" in figure.alt and "20 % (10 to 30)" in figure.alt
    words = list(ElementTree.fromstring(figure.svg).itertext())  # noqa: S314 -- our own drawing
    assert "<10" in words and "4" not in words and "100" in words
    assert figure.data["time"].nunique() == 21


def test_what_all_labels_share_is_said_once():
    pair = [curve("Compassion, of all: low"), curve("Compassion, of all: lower")]
    figure = figures.curves(pair, horizon=9, unit="days", title="T")
    assert figure.caption.startswith("By Compassion, of all.")
    assert figure.data["curve"].unique().tolist() == ["low", "lower"]


def test_a_small_interval_is_drawn_in_margins_and_says_when_it_runs_on():
    assert 'class="arrow"' not in figures.mini(1.0, 0.5, 1.5, 0.5)
    assert figures.mini(1.0, -9.0, 9.0, 0.5).count('class="arrow"') == 2
    assert figures.mini(1.0, 0.5, 1.5, 0.0) == "" and figures.mini(math.nan, 0.0, 1.0, 1.0) == ""
    assert figures.mini(2.0, 1.0, 3.0, 1.0) == figures.mini(20.0, 10.0, 30.0, 10.0)


STYLE = (Path(figures.__file__).parents[1] / "templates" / "style.css").read_text(encoding="utf-8")
SETS = [dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", part)) for part in STYLE.split("prefers-color-scheme:dark")[:2]]
NAMES = ("blue", "orange", "purple", "teal", "mute")
APART = 12.0  # in L*a*b*, where about 2.3 can just be told apart


@pytest.mark.parametrize("seen", colour.SEEN)
@pytest.mark.parametrize("colours", SETS, ids=["light", "dark"])
def test_series_are_told_apart_by_whoever_looks(colours, seen):
    near = {pair: colour.apart(colours[pair[0]], colours[pair[1]], seen) for pair in itertools.combinations(NAMES, 2)}
    assert {pair: distance for pair, distance in near.items() if distance < APART} == {}


@pytest.mark.parametrize("colours", SETS, ids=["light", "dark"])
def test_what_a_drawing_writes_can_be_read_on_the_page(colours):
    assert {name: colours[name] for name in NAMES if colour.contrast(colours[name], colours["paper"]) < 4.5} == {}


def test_the_page_has_the_colours_of_the_drawings():
    assert [SETS[0][name] for name in NAMES[:4]] == list(ink.SERIES[:4])
    assert all(f"var(--{name}," in ink._VARIABLES[value] for name, value in zip(NAMES, ink.SERIES, strict=True))


def test_the_picture_in_dots_is_the_drawing():
    """Each colour of the house is in it as it is, at twice its size."""
    from PIL import Image

    picture = Image.open(io.BytesIO(figures.interval(answer()).png))
    assert picture.size[0] == 2 * letters.WIDTH
    dots = np.asarray(picture.convert("RGB")).astype(int)
    for name in (ink.BLUE, ink.BAND, "#ffffff"):
        wanted = [int(name[place : place + 2], 16) for place in (1, 3, 5)]
        assert (np.abs(dots - wanted).max(axis=2) <= 3).sum() > 100
