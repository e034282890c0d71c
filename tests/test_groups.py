"""Sites side by side and months in a row: limits that hold what they promise, words that fit, nobody ranked."""

from __future__ import annotations

import json
import math
import re
import shutil
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from scipy import stats

from researchkit import figures
from researchkit.beside import view
from researchkit.groups import DIFFERS, IN_LINE, TOO_FEW, Groups, Point, chart, funnel, gathered
from researchkit.groups.chart import ended, false_alarms, in_baseline, in_order, limits, rules
from researchkit.groups.funnel import by_chance, drawn_in, in_centre, median
from researchkit.places import folder_name
from researchkit.site import write_index

NASTY = "<script>alert(1)</script>\"'& 😀 " + "long" * 60


def groups(estimates, errors, df=None, margin=0.0, names=None, column="site", **more):
    """Points without files. An error of NaN is a site that is hidden."""
    names = names or [f"s{place}" for place in range(1, len(estimates) + 1)]
    points = []
    for name, value, se in zip(names, estimates, np.broadcast_to(errors, len(estimates)), strict=True):
        ends = [float(value), float(se), float(value - 1.96 * se), float(value + 1.96 * se)]
        ends = ends if math.isfinite(se) else [math.nan] * 4
        hidden = "" if math.isfinite(se) else "too few people to be shown"
        points.append(Point(name, *ends, df, 500, "supported", f"{column}={name}/report.html", hidden))
    facts = {"whole": None, "studies": 1} | more
    return Groups("c", "Centre", "stay", "Do they stay?", column, column, "point", "kindness +1 point", 0.95, margin, True, tuple(points), **facts)  # fmt: skip


def months(estimates, errors=1.0, **more):
    names = [f"{2020 + place // 12}-{place % 12 + 1:02d}" for place in range(len(estimates))]
    return groups(estimates, errors, names=names, column="month", **more)


def drawn(found_groups, seed=1):
    return chart(found_groups, np.random.default_rng(seed))


# The funnel


def test_the_centre_and_the_limits_are_those_worked_out_by_hand():
    found = funnel(groups([2.0, 4.0, 6.0, 4.0], [1.0, 1.0, 2.0, 2.0]))
    # Weights 1, 1, 1/4, 1/4 add up to 2.5: (2 + 4 + 1.5 + 1) / 2.5.
    assert found.centre == pytest.approx(3.4) and found.weight == pytest.approx(2.5)
    assert (found.usual, found.corrected) == pytest.approx((1.959964, 2.497705), rel=1e-6)  # 0.05 / 2 and 0.05 / 8
    # The first against the others: they have (4 + 1.5 + 1) / 1.5, weight 1.5.
    first = found.sites[0]
    assert first.apart == pytest.approx(2 - 6.5 / 1.5)
    assert first.reach == pytest.approx(2.497705 * math.sqrt(1 + 1 / 1.5), rel=1e-6)
    assert found.limit(2.0, 1.0) == pytest.approx(math.sqrt(4 - 1 / 2.5)) and found.limit(0.1, 1.0) == 0
    assert found.spread is None and found.widened == 1


def test_a_dot_is_outside_the_drawn_limits_exactly_where_its_word_says_so():
    rng = np.random.default_rng(4)
    seen = set()
    for _ in range(300):
        errors = np.exp(rng.normal(size=7))
        found = funnel(groups(rng.normal(size=7) * errors * 2, errors, df=9.0))
        for site in found.sites:
            outside = abs(site.point.estimate - found.centre) > found.limit(site.se, found.corrected)
            assert outside == (site.word == DIFFERS)
            seen.add(outside)
    assert seen == {True, False}


def test_few_clusters_reach_as_far_as_t_does():
    site = funnel(groups([0.0] * 4, 1.0, df=5.0)).sites[0]
    assert site.se == pytest.approx(stats.t.ppf(1 - 0.05 / 8, 5) / stats.norm.ppf(1 - 0.05 / 8))


@pytest.mark.parametrize(("sites", "df"), [(3, None), (5, 4.0), (12, None), (12, 24.0), (40, 8.0)])
def test_where_no_site_differs_hardly_ever_one_is_called_different(sites, df):
    rng, runs, any_called, called = np.random.default_rng(11), 400, 0, 0
    for _ in range(runs):
        errors = np.exp(0.5 * rng.normal(size=sites))
        luck = 1.0 if df is None else np.sqrt(rng.chisquare(df, sites) / df)
        found = funnel(groups(2 + rng.normal(size=sites) * errors, errors * luck, df=df))
        called += len(found.differing)
        any_called += bool(found.differing)
    # At most 5 % of funnels, less three binomial standard errors of luck; and no site more than 5 % by itself.
    assert any_called / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert called / (runs * sites) < 0.05


def test_uncorrected_limits_would_call_far_more():
    """What the correction is for: of 12 sites that are all alike, about half of the funnels had one beyond 95 %."""
    rng, runs = np.random.default_rng(12), 300
    count = 0
    for _ in range(runs):
        found = funnel(groups(rng.normal(size=12), 1.0))
        count += any(abs(one.point.estimate - found.centre) > found.limit(one.se, found.usual) for one in found.sites)
    assert count / runs > 0.3


@pytest.mark.parametrize(("sites", "least"), [(4, 0.9), (6, 0.9), (12, 0.95), (40, 0.95)])
def test_a_site_that_truly_differs_is_found_and_makes_no_other_look_strange(sites, least):
    """Eight standard errors away. While it was part of the centre, four sites had a good one called different in 9 of
    10 funnels."""
    rng, runs, found, others = np.random.default_rng(3), 200, 0, 0
    for _ in range(runs):
        estimates = rng.normal(size=sites)
        estimates[2] += 8
        named = [site.point.value for site in funnel(groups(estimates, 1.0)).differing]
        found += "s3" in named
        others += any(name != "s3" for name in named)
    assert found / runs > least and others / runs < 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_the_centre_is_that_of_the_sites_in_line():
    found = funnel(groups([1.0, 2.0, 3.0, 2.0, 50.0], 1.0))
    assert found.centre == pytest.approx(2.0) and found.weight == pytest.approx(4.0)
    last = found.sites[4]
    assert last.apart == pytest.approx(48.0) and last.reach == pytest.approx(found.corrected * math.sqrt(1 + 1 / 4))


def test_at_most_half_leave_the_centre():
    sites = [100.0 * place for place in range(4)]  # too few for their spread to be measured
    found = funnel(groups(sites, 1.0))
    assert found.weight == pytest.approx(2.0) and len(found.differing) == 4
    assert in_centre(np.array([0.0, 1, 2, 40, 80, 120, 160]), np.ones(7), 3.0).sum() == 4


def test_the_weighted_median_has_half_of_the_weight_on_either_side():
    assert median(np.array([3.0, 1.0, 2.0]), np.ones(3)) == pytest.approx(2.0)
    assert median(np.array([0.0, 10.0]), np.array([3.0, 1.0])) == pytest.approx(2.5)


def test_sites_that_all_differ_a_little_widen_the_limits():
    rng = np.random.default_rng(8)
    spreads, called, wide = [], 0, 0
    for _ in range(200):
        found = funnel(groups(2 * rng.normal(size=30), 1.0))  # four times the variance of chance
        spreads.append(found.spread)
        called += len(found.differing)
        wide += found.widened > 1
        assert found.widened == pytest.approx(math.sqrt(found.spread) if found.widened > 1 else 1)
    assert np.mean(spreads) == pytest.approx(4, rel=0.1) and wide >= 195
    assert called / (200 * 30) < 0.01  # without widening: 9.6 %
    assert sum(funnel(groups(rng.normal(size=30), 1.0)).widened > 1 for _ in range(200)) < 30


@pytest.mark.parametrize(("sites", "cut", "df"), [(5, 1, None), (12, 1, None), (40, 4, None), (40, 4, 8.0)])
def test_the_spread_of_chance_alone_is_one(sites, cut, df):
    rng = np.random.default_rng(2)
    luck = (lambda: np.sqrt(rng.chisquare(df, sites) / df)) if df else (lambda: 1.0)
    found = [funnel(groups(rng.normal(size=sites), luck(), df=df)).spread for _ in range(1500)]
    assert drawn_in(sites) == cut and by_chance(sites) < 0.9
    # The median of sites with errors of their own is a little less certain than of equal ones: hence the last hundredths.
    assert np.mean(found) == pytest.approx(1, abs=3 * np.std(found) / math.sqrt(1500) + (0.03 if df else 0))


def test_too_few_to_tell_is_said_where_even_four_margins_would_not_show():
    found = funnel(groups([0.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.1, 3.0], margin=1.0))
    assert [site.word for site in found.sites] == [IN_LINE, IN_LINE, IN_LINE, TOO_FEW]
    assert found.sites[3].reach > 4 > found.sites[0].reach
    assert {site.word for site in funnel(groups([0.0] * 4, [0.1, 0.1, 0.1, 3.0])).sites} == {IN_LINE}


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_are_not_compared(count):
    assert funnel(groups([1.0] * count + [0.0] * 3, [1.0] * count + [math.nan] * 3)) is None


# The chart


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["2025-11", "2025-02"], (True, [24311.0, 24302.0])),
        (["2025-11-03", "2025-11-01"], (True, [739558.0, 739556.0])),
        (["2025-Q4", "2025Q1"], (True, [8104.0, 8101.0])),
        (["10", "9", "-1"], (False, [10.0, 9.0, -1.0])),
        (["029", "030"], None),
        (["2025-13", "2025-01"], None),
        (["2025-02-30", "2025-01-01"], None),
        (["2025-W60", "2025-W01"], None),
        (["North", "2025-01"], None),
        (["1.5", "2"], None),
        (["9" * 40], None),
    ],
)
def test_only_what_has_an_order_is_put_in_a_row(values, order):
    assert in_order(values) == order


def test_weeks_follow_one_another_across_the_year():
    _, at = in_order(["2025-W52", "2026-W01"])
    assert at[1] - at[0] == 1


def test_months_are_sorted_by_time_whatever_the_order_of_the_folders():
    found = drawn(groups([1.0, 2.0, 3.0], 1.0, names=["10", "2", "1"], column="month"))
    assert [step.point.value for step in found.steps] == ["1", "2", "10"] and not found.in_time


def test_the_baseline_is_the_first_half_and_at_least_eight():
    assert [drawn(months(np.zeros(n))).baseline for n in (9, 12, 16, 20, 25)] == [8, 8, 8, 10, 12]


def test_the_centre_and_its_limits_are_those_worked_out_by_hand():
    found = drawn(months([1.0, 3.0] * 4 + [2.0], [1.0] * 8 + [2.0]))
    assert found.centre == pytest.approx(2.0)
    assert found.steps[0].high == pytest.approx(2 + 3 * math.sqrt(1 - 1 / 8))
    assert found.steps[8].low == pytest.approx(2 - 3 * math.sqrt(4 + 1 / 8))


@pytest.mark.parametrize("shown", [1, 3, 8])
def test_without_a_baseline_the_chart_cannot_tell(shown):
    found = drawn(months(np.arange(shown) * 9.0))
    assert (found.centre, found.false_alarms, found.signals) == (None, None, ())
    assert {step.word for step in found.steps} == {"cannot tell"}
    assert f"{shown} shown; a baseline takes 8" in found.steps[0].reason


CALM = [0.5, -0.5, 0.4, -0.4, 0.3, -0.3, 0.2, -0.2]


@pytest.mark.parametrize(
    ("after", "words", "reason"),
    [
        ([0.1, -0.1, 0.2], ["noise"] * 3, "inside the limits"),
        ([0.1, 3.5], ["noise", "signal"], "beyond the limits"),
        ([0.1, -3.5], ["noise", "signal"], "beyond the limits"),
        ([0.9, 0.7, 0.9, 0.7, 0.9, 0.7, 0.9, 0.7, 0.9], ["noise"] * 7 + ["signal"] * 2, "eight in a row on one side"),
        ([-0.9, -0.7] * 4, ["noise"] * 6 + ["signal"] * 2, "eight in a row on one side"),
        ([-0.9, -0.6, -0.3, 0.3, 0.6], ["noise"] * 5, "inside the limits"),
        ([-0.9, -0.6, -0.3, 0.3, 0.6, 0.9], ["noise"] * 5 + ["signal"], "six in a row rising or falling"),
        ([0.9, 0.6, 0.3, -0.3, -0.6, -0.9], ["noise"] * 5 + ["signal"], "six in a row rising or falling"),
    ],
)
def test_each_rule_fires_where_it_was_planted_and_nowhere_else(after, words, reason):
    # The last of the calm months, −0.2, is below the centre: it lengthens a run on that side.
    found = drawn(months(np.array(CALM + after)))
    assert [step.word for step in found.steps[8:]] == words
    assert reason in found.latest.reason


def test_a_hidden_month_ends_a_run():
    after = [0.9, 0.7] * 4 + [0.9]
    errors = np.ones(17)
    errors[12] = math.nan
    found = drawn(months(np.array(CALM + after), errors))
    assert [step.word for step in found.steps[8:]] == ["noise"] * 4 + ["cannot tell"] + ["noise"] * 4
    assert found.steps[12].reason == "too few people to be shown" and found.steps[12].low is None


def test_a_month_too_uncertain_to_show_anything_is_not_called_noise():
    found = drawn(months(np.array([*CALM, 0.0, 0.0]), [1.0] * 9 + [9.0], margin=1.0))
    assert [step.word for step in found.steps[8:]] == ["noise", "cannot tell"]


def test_a_baseline_that_holds_a_signal_is_told():
    calm = drawn(months(np.array([*CALM, 0.1])))
    wild = drawn(months(np.array([9.0, *CALM[1:], 0.1])))
    assert calm.calm and not wild.calm and wild.steps[0].word == "baseline"
    words = [" ".join(view(months(np.array([first, *CALM[1:], 0.1])))["parts"][0]["words"]) for first in (0.5, 9.0)]
    assert ["in doubt" in text for text in words] == [False, True]


def test_the_first_month_neither_rises_nor_falls():
    rising, after = [-0.4, -0.3, -0.2, -0.1, 0.0], [-0.3, 0.2, 0.1, 0.1]
    assert drawn(months(np.array([*rising, *after]))).calm
    assert not drawn(months(np.array([-0.5, *rising, *after]))).calm


def test_a_hidden_month_is_no_part_of_the_baseline():
    errors = np.array([1.0, math.nan] + [1.0] * 9)
    found = drawn(months(np.array([0.5, 99.0, *CALM[1:], 0.1, 0.1]), errors))
    assert found.baseline == 8 and [step.word for step in found.steps].count("baseline") == 8
    assert found.steps[8].word == "baseline" and found.centre == pytest.approx(np.mean(CALM))


def test_runs_are_counted_from_their_last_month():
    flags = np.array([True, True, True, False, True, True, True, True])
    assert ended(flags, 3).tolist() == [False, False, True, False, False, False, True, True]


@pytest.mark.parametrize(("count", "low", "high"), [(12, 0.01, 0.06), (24, 0.08, 0.18), (48, 0.2, 0.4)])
def test_the_rate_of_false_alarms_is_that_of_charts_without_any_change(count, low, high):
    """12 months raise a false alarm in about 3 of 100 charts, 24 in about 13, 48 in about 30."""
    told = drawn(months(np.zeros(count))).false_alarms
    rng, runs = np.random.default_rng(99), 600
    seen = sum(bool(drawn_fast(rng.normal(size=count))) for _ in range(runs)) / runs
    assert low < told < high
    assert abs(told - seen) < 3 * math.sqrt(told * (1 - told) / runs)


def drawn_fast(estimates):
    """Whether a chart has a signal, by the plainest reading of its three rules, one month after another."""
    size = max(8, len(estimates) // 2)
    centre = estimates[:size].mean()
    for last in range(size, len(estimates)):
        eight, six = estimates[last - 7 : last + 1] - centre, np.diff(estimates[last - 5 : last + 1])
        if abs(estimates[last] - centre) > 3 * math.sqrt(1 + 1 / size):
            return True
        if (eight > 0).all() or (eight < 0).all() or (six > 0).all() or (six < 0).all():
            return True
    return False


def test_false_alarms_by_few_clusters_are_not_more():
    many, few = (
        false_alarms(months(np.zeros(12), df=df).points, np.arange(12) < 8, np.random.default_rng(1))
        for df in (None, 4.0)
    )
    assert few < many + 0.02


def test_rules_read_many_charts_at_once():
    rng = np.random.default_rng(6)
    many = rng.normal(size=(5, 20)) + np.linspace(0, 4, 20)
    within = in_baseline(np.ones(20), 10)
    centre, reach = limits(many, np.ones((5, 20)), within)
    together = rules(many, centre, reach)
    for row in range(5):
        alone = rules(many[row], *limits(many[row], np.ones(20), within))
        assert all((one[row] == other).all() for one, other in zip(together, alone, strict=True))


# Figures


def test_the_figures_are_told_from_their_numbers_and_the_same_for_the_same():
    sites = groups([1.0, 1.2, 0.8, 1.1, 0.9, 9.0], 1.0)
    one, other = (figures.funnel(sites, funnel(sites)) for _ in range(2))
    assert one.svg == other.svg and one.png == other.png
    assert "6 estimates from 0.8 to 9.0 points around a centre of +1.0" in one.alt and "s6 at +9.0" in one.alt
    assert one.data["says"].tolist()[-1] == DIFFERS
    rows = months(np.array([*CALM, 0.1, 3.5]))
    figure = figures.chart(rows, drawn(rows))
    assert "Signals: 2020-10 (beyond the limits)." in figure.alt and "from 2020-01 to 2020-10" in figure.alt
    assert figure.data["upper limit"].iloc[-1] == pytest.approx(drawn(rows).latest.high)


def test_probabilities_are_drawn_and_listed_in_percentage_points(tmp_path):
    for place in range(4):
        put(tmp_path, by=f"site=s{place}", effect={"estimate": 0.01 * place})
    found = gathered(tmp_path / "centre" / "stay", "site")
    figure = figures.funnel(found, funnel(found))
    assert figure.data["estimate"].tolist() == pytest.approx([0, 1, 2, 3]) and "percentage points" in figure.alt


def test_a_drawing_of_nothing_says_so():
    rows = months([0.0, 0.0, 0.0], math.nan)
    assert "Nothing to draw" in figures.chart(rows, drawn(rows)).alt


# The page


def put(out, question="stay", by=None, study="centre", status="ok", **more):
    effect = {"kind": "yes_no", "estimate": 0.03, "se": 0.01, "low": 0.01, "high": 0.05, "level": 0.95, "df": 30.0}
    effect |= {"unit": "probability", "contrast": "kindness +1 point", "n": 500, "clusters": 31} | more.pop(
        "effect", {}
    )
    told = {
        "study": study,
        "study_title": "Centre",
        "question": question,
        "by": by,
        "title": "Do they stay?",
        "family": "loyalty",
        "simulated": True,
        "smallest_effect": 0.02,
        "effect": effect,
        "verdict": {"word": "supported", "marks": []},
        "provenance": {"study_sha256": "a"},
    }
    folder = out / study / question / (folder_name(by) if by else "")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.html").write_text("page", encoding="utf-8")
    (folder / "status.json").write_text(json.dumps({"status": status}), encoding="utf-8")
    if status == "ok":
        (folder / "result.json").write_text(json.dumps(told | more), encoding="utf-8")
    return folder


def words(page):
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"\s+", " ", text)


def test_three_sites_have_a_page_that_both_indexes_lead_to(tmp_path):
    for name in ("North & Süd", "West", "East"):
        put(tmp_path, by=f"site={name}")
    index = write_index(tmp_path)
    page = tmp_path / "centre" / "stay" / "by-site.html"
    for one in (index, tmp_path / "centre" / "index.html"):
        targets = [one.parent / unquote(link) for link in re.findall(r'<a href="([^"#]+)"', one.read_text("utf-8"))]
        assert page in [target.resolve() for target in targets] or page in targets
        assert all(target.exists() for target in targets)
    inside = re.findall(r'<a href="([^"#]+)"', page.read_text(encoding="utf-8"))
    assert all((page.parent / unquote(link)).exists() for link in inside)
    assert len([link for link in inside if link.endswith("report.html")]) == 3 and "../index.html" in inside
    told = words(page)
    assert "None of 3 sites differs" in told and "All are in line with the others." in told
    assert told.index("East") < told.index("North & Süd".replace("&", "&amp;")) < told.index("West")


def test_two_sites_have_none_and_a_page_goes_when_its_reports_go(tmp_path):
    folders = [put(tmp_path, by=f"site={name}") for name in "ABC"]
    write_index(tmp_path)
    page = tmp_path / "centre" / "stay" / "by-site.html"
    assert page.exists()
    shutil.rmtree(folders[0])
    assert "by-site" not in write_index(tmp_path).read_text(encoding="utf-8") and not page.exists()


def test_a_page_is_made_again_only_when_a_report_changed(tmp_path):
    for name in "ABC":
        put(tmp_path, by=f"site={name}")
    write_index(tmp_path)
    page = tmp_path / "centre" / "stay" / "by-site.html"
    page.write_text(page.read_text(encoding="utf-8").replace("Do they stay?", "as it was"), encoding="utf-8")
    write_index(tmp_path)
    assert "as it was" in words(page)
    put(tmp_path, by="site=C", effect={"estimate": 0.5})
    write_index(tmp_path)
    assert "as it was" not in words(page) and "C" in words(page)


def test_sites_that_are_hidden_are_named_and_cannot_be_worked_out(tmp_path):
    for name in "ABCD":
        put(tmp_path, by=f"site={name}", effect={"n": 777})
    put(tmp_path, by="site=Tiny", status="too few")
    put(tmp_path, by="site=Broken", status="error")
    put(tmp_path, by="site=Null", effect={"estimate": None, "se": None, "low": None, "high": None})
    put(tmp_path, by="site=Vague", effect={"se": None})
    put(tmp_path, by="site=Other", effect={"unit": "point"})
    put(tmp_path)
    write_index(tmp_path)
    told = words(tmp_path / "centre" / "stay" / "by-site.html")
    for wanted in (
        "Tiny : too few people to be shown",
        "Broken : no answer (error)",
        "Null : too few people to be shown",
        "Vague : without a standard error",
        "Other : of something else: kindness +1 point, in point",
        "None of 4 sites differs",
    ):
        assert wanted in told
    assert "777" not in told, "all less those that are shown would be the hidden ones"


def test_where_all_are_shown_their_numbers_are(tmp_path):
    for name in "ABC":
        put(tmp_path, by=f"site={name}", effect={"n": 777})
    put(tmp_path, effect={"estimate": 0.042})
    write_index(tmp_path)
    told = words(tmp_path / "centre" / "stay" / "by-site.html")
    assert told.count("777") == 3 and "All together, in one answer, have +4.2" in told


def test_two_versions_of_the_study_file_are_told(tmp_path):
    for name in "ABC":
        put(tmp_path, by=f"site={name}", provenance={"study_sha256": "a" if name == "A" else "b"})
    write_index(tmp_path)
    assert "made from 2 versions of the study file" in words(tmp_path / "centre" / "stay" / "by-site.html")


def test_months_have_a_chart_alone_and_numbers_a_funnel_beside_it(tmp_path):
    for place in range(1, 11):
        put(tmp_path, by=f"month=2025-{place:02d}")
        put(tmp_path, by=f"shift={place}")
    write_index(tmp_path)
    told = words(tmp_path / "centre" / "stay" / "by-month.html")
    assert "Months in a row" in told and "side by side" not in told
    assert "The latest month, 2025-10: noise (inside the limits" in told
    assert re.search(r"Where nothing happens at all, \d+ % of charts like this one", told)
    told = words(tmp_path / "centre" / "stay" / "by-shift.html")
    assert "Shifts in a row" in told and "Shifts side by side" in told and "mere names" in told


def test_no_order_but_the_alphabet_s_whatever_the_estimates():
    names = ["s10", "s2", "S1", "b", "a"]
    estimates = {"s10": 1.0, "s2": 5.0, "S1": 3.0, "b": 9.0, "a": 2.0}
    page = view(groups([estimates[name] for name in names], 1.0, names=names))
    html = "".join(page["parts"][0]["blocks"])
    assert "In the order of the alphabet." in html
    assert not re.search(r"rank|league|best|worst|top|bottom", " ".join(page["parts"][0]["words"]).lower())


def test_reports_are_gathered_in_the_alphabet_s_order_with_numbers_as_numbers(tmp_path):
    for name in ("s10", "s2", "S1", "b", "029"):
        put(tmp_path, by=f"site={name}")
    found = gathered(tmp_path / "centre" / "stay", "site")
    assert [point.value for point in found.points] == ["029", "b", "S1", "s2", "s10"]


@pytest.mark.parametrize("column", ["site", "shift length/h"])
def test_nothing_from_the_data_becomes_html(tmp_path, column):
    for value in (NASTY, "b", "c", "d", "=1+1", "e" * 400):
        put(tmp_path, by=f"{column}={value}", title=NASTY, study_title=NASTY, effect={"contrast": NASTY})
    write_index(tmp_path)
    (page,) = (tmp_path / "centre" / "stay").glob("by-*.html")
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append(tag)
            assert not [name for name, _ in attrs if name.startswith("on")]

    Tags().feed(page.read_text(encoding="utf-8"))
    assert "script" not in tags and tags.count("h1") == 1
    assert all((page.parent / unquote(link)).exists() for link in re.findall(r'<a href="([^"#]+)"', page.read_text("utf-8"))[1:])  # fmt: skip


def test_equal_sites_and_one_site_are_no_trouble(tmp_path):
    for name in "ABC":
        put(tmp_path, "one", by=f"site={name}", effect={} if name == "A" else {"se": None})
        put(tmp_path, "same", by=f"site={name}")
    write_index(tmp_path)
    assert "1 of 3 have an estimate; it takes 3 to compare." in words(tmp_path / "centre" / "one" / "by-site.html")
    assert "All are in line" in words(tmp_path / "centre" / "same" / "by-site.html")


def test_labels_that_look_like_columns_are_none(tmp_path):
    for name in "ABC":
        shutil.copytree(put(tmp_path, "other"), tmp_path / "centre" / "stay" / f"threshold={name}")
    write_index(tmp_path)
    assert not list((tmp_path / "centre" / "stay").glob("by-*.html"))
