"""Gaps that somebody filled with constants are found; what is alike for a reason is not accused."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from researchkit.dataset import load_dataset
from researchkit.draft import draft
from researchkit.filled import filled
from researchkit.parts import File
from researchkit.readers import plain
from researchkit.study import load_study


def measured(n=600, k=8, seed=1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    shared = rng.normal(70, 10, n)
    columns = {f"m{place}": np.rint(shared + rng.normal(0, 6, n)) for place in range(k)}
    return pd.DataFrame(columns).assign(id=[f"{place:05d}" for place in range(n)])


@pytest.mark.parametrize("fill", ["mean", "median", "mode", 34])
@pytest.mark.parametrize("share", [0.03, 0.15, 0.4])
def test_what_was_filled_in_is_found_to_the_row(fill, share):
    frame = measured()
    gaps = np.random.default_rng(2).random(len(frame)) < share
    names = [name for name in frame if name != "id"]
    for name in names:
        value = frame.loc[~gaps, name]
        constant = value.mode()[0] if fill == "mode" else fill if isinstance(fill, int) else value.agg(fill)
        frame.loc[gaps, name] = constant
    (block,) = filled(frame)
    assert block.rows.sum() == gaps.sum() and set(block.held) == set(names)
    assert f"{int(gaps.sum())} rows hold the very same numbers in 8 columns (m0 " in str(block)


def test_only_the_columns_that_were_filled_are_named():
    frame = measured()
    frame.loc[:79, ["m0", "m1", "m2", "m3", "m4"]] = 71
    (block,) = filled(frame.astype("str"))
    assert set(block.held) == {"m0", "m1", "m2", "m3", "m4"} and block.rows.sum() >= 80


def likert(rng, n=800):
    kind = rng.normal(size=(n, 1))
    frame = pd.DataFrame(np.clip(np.rint(3 + kind + rng.normal(size=(n, 20))), 1, 5)).add_prefix("item_")
    frame.iloc[:90] = 4  # straight-lined
    return frame.assign(**{f"score{place}": frame.iloc[:, 5 * place : 5 * place + 5].sum(axis=1) for place in range(3)})


def sites(rng, n=900):
    of = rng.integers(0, 12, n)
    of[:400] = 3
    own = pd.DataFrame(rng.normal(50, 9, (12, 6)).round(1)).add_prefix("site_")
    return own.iloc[of].reset_index(drop=True).assign(y=rng.normal(size=n))


def visits(rng, n=60, most=3):
    person = pd.DataFrame(rng.normal(50, 9, (n, 5)).round(1)).add_prefix("base_")
    times = rng.integers(1, most + 1, n)
    times[0] = 40
    return person.loc[person.index.repeat(times)].reset_index().assign(y=rng.normal(size=times.sum()))


ORDINARY = {
    "measures that go together": lambda rng: measured(seed=int(rng.integers(99))),
    "answers from 1 to 5, and straight lines": likert,
    "what belongs to a site, one of them large": sites,
    "counts with many zeros": lambda rng: pd.DataFrame(rng.poisson(0.4, (900, 9)) * rng.integers(1, 40, (900, 9))),
    "rows that stand twice": lambda rng: pd.concat([measured(), measured().iloc[:30]]).reset_index(drop=True),
    "empty": lambda rng: pd.DataFrame({f"m{place}": pd.Series([None] * 40, dtype="str") for place in range(6)}),
    "constant": lambda rng: pd.DataFrame(np.ones((50, 6))),
    "words": lambda rng: pd.DataFrame(rng.choice(list("abcdefghijklmnop"), (90, 6))),
    "infinite": lambda rng: measured().assign(m0=np.inf),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_what_is_alike_for_a_reason_is_not_accused(name):
    for seed in range(5):
        frame = ORDINARY[name](np.random.default_rng(seed))
        assert filled(frame.rename(columns=str)) == []


def test_many_rows_of_one_customer_are_of_one_customer():
    frame = visits(np.random.default_rng(3), most=1)
    assert len(filled(frame)) == 1, "nobody has said whose a row is"
    assert filled(frame, ["index"]) == []


def test_the_worlds_that_come_along_are_not_accused(root):
    for name in ("contact_centre", "hospital"):
        study = load_study(root / "data" / name)
        for table in study.tables:
            assert not [note for note in load_dataset(study, table).notes if "filled in" in note]


def test_the_file_that_somebody_filled_is_noticed(mirror):
    path = mirror / "hcahps-hospital-2017-imputed" / "HCAHPS_Data.csv"
    frame, _ = plain.read(path, File(path=path.name))
    first, second = filled(frame)
    assert (second.rows.sum(), len(second.held)) == (1335, 10), "small hospitals: the linear scores alone"
    assert all("LINEAR" in name for name in second.held)
    assert first.rows.sum() == 671 and len(first.held) > 30
    nurses = pd.to_numeric(frame["H_COMP_1_A_P"])
    assert (nurses[first.rows] == 34).all() and not (nurses[~first.rows] == 34).any()


def test_no_other_published_file_is_accused(mirror):
    seen = 0
    for path in sorted(mirror.glob("*/*.csv")):
        if "imputed" in path.parent.name:
            continue
        try:
            frame, _ = plain.read(path, File(path=path.name, missing=("NA", "Not Available", "-")))
        except Exception:  # noqa: S112 - another encoding; what is read is what is looked at
            continue
        assert filled(frame) == [], path.name
        seen += 1
    assert seen > 12


def test_the_check_says_so_and_the_page_too(tmp_path):
    frame = measured().assign(x=np.random.default_rng(5).normal(size=600))
    frame.loc[:59, [f"m{place}" for place in range(8)]] = 34
    frame.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "study.yml").write_text(
        "title: t\nseed: 1\ndesign: observational\nfiles: a.csv\npeople: id\nquestions:\n  - {id: q, title: '?', claim: BUR-1,"
        " exposure: x, outcome: {column: m0, kind: score}, smallest_effect: 1}\n",
        encoding="utf-8",
    )
    (said,) = [note for note in load_dataset(load_study(tmp_path)).notes if "hold the very same numbers" in note]
    assert "60 rows hold the very same numbers in 8 columns" in said and said in draft(tmp_path / "a.csv")
    rule = re.search(r"`keep: (.*?)`", said)
    (tmp_path / "study.yml").write_text((tmp_path / "study.yml").read_text() + f"keep: [{rule.group(1)}]\n")
    dataset = load_dataset(load_study(tmp_path))
    assert len(dataset.frame) == 540 and dataset.flow[0].why == "filled in"


def test_straight_lines_through_reversed_items_are_counted(tmp_path):
    rows = ["5,5,5,5", "3,3,3,3", "1,1,1,1", "4,4,4,", "5,4,1,2", "4,4,2,2"]
    (tmp_path / "a.csv").write_text("a,b,c,d\n" + "\n".join(rows) + "\n", encoding="utf-8")
    study = (
        "title: t\nseed: 1\ndesign: observational\nfiles: a.csv\n"
        "scales: {{s: {{items: [a, b, c, d], reverse: [{}], range: [1, 5]}}}}\nquestions:\n  - {{id: q, title: '?', "
        "claim: BUR-1, exposure: a, outcome: {{column: s, kind: score}}, smallest_effect: 1}}\n"
    )
    for reverse, said in (("c, d", True), ("", False), ("a, b, c, d", False)):
        (tmp_path / "study.yml").write_text(study.format(reverse), encoding="utf-8")
        notes = load_dataset(load_study(tmp_path)).notes
        assert ("s: 2 rows give one answer to all items, reversed ones too (straight-lined)." in notes) == said, notes
