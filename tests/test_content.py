"""The same table is known again in another file; CMS files get their whole numbers back. No published data needed."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit.errors import DataError
from researchkit.parts import File
from researchkit.readers import exports, plain
from researchkit.readers.content import content, require_content

cells = st.lists(st.one_of(st.integers(0, 9).map(str), st.just("x"), st.none()), min_size=3, max_size=3)


@given(cells, cells)
def test_columns_may_stand_in_any_order_but_not_change_places(one, other):
    frame = pd.DataFrame({"one": one, "other": other}, dtype="str")
    assert content(frame[["other", "one"]]) == content(frame)
    swapped = pd.DataFrame({"one": other, "other": one}, dtype="str")
    assert (content(swapped) == content(frame)) == (one == other)


def test_numbers_are_the_same_as_text_and_stored():
    stored = pd.DataFrame({"score": [1.0, 2.5, None]})
    text = pd.DataFrame({"score": ["1", "2.50", None]}, dtype="str")
    assert content(stored) == content(text)
    assert content(stored) != content(stored.iloc[::-1])


def test_another_cell_is_refused_with_both_sums():
    frame = pd.DataFrame({"score": [1.0, 2.0]})
    require_content(frame, content(frame), "a.csv")
    require_content(frame, None, "a.csv")
    with pytest.raises(DataError, match=r"a\.csv does not hold .* [0-9a-f]{64}, not 0{64}"):
        require_content(frame, "0" * 64, "a.csv")


def test_cms_numbers_are_whole_again_and_not_available_is_missing(tmp_path):
    path = tmp_path / "hospitals.csv"
    path.write_text("Provider ID,Ratio\n10001,1.02\n010005,Not Available\n,0.9\n", encoding="utf-8")
    frame, notes = exports.read(path, File(path="hospitals.csv", reader="cms"), "hospitals.csv")
    assert frame["Provider ID"].dropna().to_list() == ["010001", "010005"]
    assert frame["Ratio"].isna().to_list() == [False, True, False]
    assert frame["Provider ID"].isna().to_list() == [False, False, True]
    assert "hospitals.csv: Provider ID: lost leading zeros are put back (1 of 3 rows)." in notes


def test_a_table_is_the_same_in_a_file_of_r(tmp_path):
    rdata = pytest.importorskip("rdata", reason="R's own files need the package rdata")
    table = pd.DataFrame({"id": [1, 2, 3], "score": [1.5, None, 3.0], "arm": ["PA", "TAU", "PA"]})
    table.to_csv(tmp_path / "table.csv", index=False)
    rdata.write_rda(tmp_path / "table.rda", {"table": table.assign(arm=table["arm"].astype("category"))})
    sums = {content(plain.read(tmp_path / name, File(path=name))[0]) for name in ("table.csv", "table.rda")}
    assert len(sums) == 1
