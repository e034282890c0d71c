"""What a file goes through before it joins the others: renamed, thinned, many rows into one, long into wide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from researchkit.errors import DataError, listing, some
from researchkit.faults import nearest
from researchkit.parts import File, Pivot, Summary
from researchkit.readers.gaps import BESIDE, with_beside
from researchkit.readers.headed import refuse_doubles
from researchkit.readers.values import among, as_text, canonical, each, numbers


def renamed(frame: pd.DataFrame, file: File, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """Our names for the file's, and the columns of `drop` left out."""
    require(frame, file.rename, subject)
    frame = frame.rename(columns={**file.rename, **{BESIDE + old: BESIDE + new for old, new in file.rename.items()}})
    refuse_doubles(list(frame.columns), subject)
    there = [name for name in file.drop if name in frame.columns]
    gone = [name for name in file.drop if name not in frame.columns]
    notes = [f"{subject}: dropped at import: {some(there, 20)}."] if there else []
    notes += [f"{subject}: to be dropped, but not there: {some(gone, 20)}."] if gone else []
    return frame.drop(columns=with_beside(there, frame)), notes


def picked(frame: pd.DataFrame, file: File, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows that `only` names: those of one event, of one measure; "" names an empty cell.

    Raises
    ------
    DataError
        If there is no such column, or no such row.
    """
    require(frame, file.only, subject)
    notes = []
    for name, values in file.only.items():
        keep = among(frame[name], [value for value in values if value]) | (frame[name].isna() & ("" in values))
        told = f"{name} {' or '.join(value or 'empty' for value in values)}"
        if not keep.any():
            there = some([repr(entry) for entry in pd.unique(frame[name].dropna())], 12)
            raise DataError(f"{subject}: `only` asks for rows with {told}, and there are none; {name} is {there}.")
        notes.append(f"{subject}: {int(keep.sum()):,} of {len(frame):,} rows have {told}; the others are not read.")
        frame = frame[keep]
    return frame, notes


def require(frame: pd.DataFrame, names: Iterable[str], subject: str) -> None:
    """Stop when a column that the study file names is not in the file."""
    lacking = [name for name in names if name not in frame.columns]
    if lacking:
        told = [f"there is no column {name!r}{nearest(name, frame.columns)}." for name in lacking]
        raise DataError(listing(subject, told))


def summarised(frame: pd.DataFrame, summary: Summary, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """One row for each `by`, in the order of first appearance; gaps are passed over, an empty sum is missing."""
    olds = [old for rule in summary.columns.values() for old in rule.values() if old]
    require(frame, [*summary.by, *dict.fromkeys(olds)], subject)
    known = frame[list(summary.by)].notna().all(axis=1)
    part = frame[known]
    groups = part.groupby(list(summary.by), sort=False)
    columns = {}
    for new, rule in summary.columns.items():
        how, old = one_rule(rule, new, subject)
        if how == "count":
            columns[new] = groups[old].count() if old else groups.size()
        elif how == "first":
            columns[new] = groups[old].first()
        else:
            grouped = figures(part[old], subject).groupby([part[name] for name in summary.by], sort=False)
            columns[new] = grouped.mean() if how == "mean" else grouped.sum(min_count=1)
        if old and BESIDE + old in part:
            columns[BESIDE + new] = groups[BESIDE + old].first().where(columns[new].isna())
    wide = pd.DataFrame(columns).reset_index()
    notes = [f"{subject}: {len(part)} rows are summarised into {len(wide)}, one for each {some(summary.by)}."]
    if not known.all():
        notes.append(f"{subject}: {int((~known).sum())} rows have no {' or '.join(summary.by)} and are left out.")
    return wide, notes


def one_rule(rule: dict, new: str, subject: str) -> tuple[str, str]:
    if len(rule) != 1:
        raise DataError(f"{subject}: `summarise` must make {new!r} in one way, such as {{mean: column}}.")
    ((how, old),) = rule.items()
    if how != "count" and not old:
        raise DataError(f"{subject}: `summarise` does not say of which column {new!r} is the {how}.")
    return how, old


def figures(series: pd.Series, subject: str) -> pd.Series:
    values, bad = numbers(series)
    if bad.any():
        first = series[bad].iloc[0]
        raise DataError(
            f"{subject}: {series.name}: {int(bad.sum())} entries are no numbers, in rows {some(series.index[bad])} "
            f"(the first is {first!r}); they cannot be summarised."
        )
    return pd.Series(values, index=series.index)


def pivoted(frame: pd.DataFrame, pivot: Pivot, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """Long to wide: one row for each `by`, and "bdi" at `over` 1 becomes "bdi_1"."""
    by = list(pivot.by)
    require(frame, [*by, pivot.over, *pivot.columns], subject)
    known = frame[pivot.over].notna()
    part = frame[known]
    who = part.groupby(by, dropna=False, sort=False).ngroup().to_numpy()
    when = each(part[pivot.over], canonical)
    doubled = int(pd.DataFrame({"who": who, "when": when}).duplicated().sum())
    if doubled:
        raise DataError(
            f"{subject}: {doubled} rows repeat the {pivot.over} of another row with the same {some(by)}, so it "
            "is not clear which value is meant."
        )
    first = pd.Series(range(len(part))).groupby(who).first().to_numpy()
    wide = part.iloc[first][by].reset_index(drop=True)
    for column in with_beside(list(pivot.columns), part):
        for moment in pd.unique(when):
            here = (when == moment).to_numpy()
            wide[f"{column}_{moment}"] = pd.Series(part[column].to_numpy()[here], index=who[here]).reindex(wide.index)
    refuse_doubles(list(wide.columns), subject)
    notes = [f"{subject}: {len(part)} rows are laid out as {len(wide)}, one for each {some(by)}."]
    if not known.all():
        notes.append(f"{subject}: {int((~known).sum())} rows have no {pivot.over} and are left out.")
    return wide, notes


def stacked(frames: Sequence[pd.DataFrame], subjects: Sequence[str]) -> pd.DataFrame:
    """One table below the other; all must have the same columns, in any order."""
    if len(frames) == 1:
        return frames[0]
    beside = dict.fromkeys(str(name) for frame in frames for name in frame if str(name).startswith(BESIDE))
    frames = [
        explained_by_none(frame, [name for name in beside if name.removeprefix(BESIDE) in frame]) for frame in frames
    ]
    first = list(frames[0].columns)
    problems = []
    for frame, subject in zip(frames[1:], subjects[1:], strict=True):
        lacking = [name for name in first if name not in frame.columns]
        added = [name for name in frame.columns if name not in first]
        if lacking or added:
            words = [f"lacks {some(lacking)}"] * bool(lacking) + [f"has {some(added)} besides"] * bool(added)
            problems.append(f"{subject} {' and '.join(words)}.")
    if problems:
        raise DataError(listing(f"Files below {subjects[0]} must have the columns that it has; this", problems))
    kinds = [name for name in first if len({str(frame[name].dtype) for frame in frames}) > 1]
    alike = [frame.assign(**{name: as_text(frame[name]) for name in kinds}) for frame in frames]
    return pd.concat([frame[first] for frame in alike], ignore_index=True)


def explained_by_none(frame: pd.DataFrame, beside: list[str]) -> pd.DataFrame:
    """The frame with an empty column of reasons wherever another file has one."""
    new = {name: pd.Series(None, index=frame.index, dtype="str") for name in beside if name not in frame}
    return pd.concat([frame, pd.DataFrame(new)], axis=1) if new else frame


def joined(left: pd.DataFrame, right: pd.DataFrame, key: Sequence[str], subject: str) -> tuple[pd.DataFrame, list[str]]:
    """The columns of `right` beside the rows of `left` that have the same key; unmatched rows counted both ways.

    Raises
    ------
    DataError
        If a key stands twice in `right`, for then rows would multiply, or both tables have another column of one name.
    """
    require(left, key, "the first file")
    require(right, key, subject)
    right = right.drop(columns=[BESIDE + name for name in key if BESIDE + name in right])
    twice = [name for name in right.columns if name in left.columns and name not in key]
    if twice:
        raise DataError(f"{subject}: {some(twice)} stands in the first file too; `rename` or `drop` one of them.")
    right = right[right[list(key)].notna().all(axis=1)]
    words = {name: as_text(right[name]) for name in key}
    right = right.assign(**words)
    doubled = right.duplicated(list(key))
    if doubled.any():
        raise DataError(
            f"{subject}: {int(doubled.sum())} rows repeat the {some(key)} of an earlier row, so it is not "
            "clear which one belongs to a row of the first file. `summarise` makes them one."
        )
    ours = pd.DataFrame({name: as_text(left[name]) for name in key})
    both = ours.merge(right, on=list(key), how="left", indicator="which file")
    matched = (both.pop("which file") == "both").to_numpy()
    used = ours[matched].drop_duplicates()
    beside = both.drop(columns=list(key)).set_index(left.index)
    lost, unused = int((~matched).sum()), len(right) - len(used)
    notes = [
        f"{subject}: joined by {some(key)}; {lost} of {len(left)} rows of the first file found no match, and "
        f"{unused} of {len(right)} rows of this one belong to none of them."
    ]
    notes += lost_zeros(ours[~matched], right, key, subject)
    return pd.concat([left, beside], axis=1), notes


def lost_zeros(ours: pd.DataFrame, right: pd.DataFrame, key: Sequence[str], subject: str) -> list[str]:
    """A note on rows that would find each other without leading zeros: one of the two files has lost them."""
    if ours.empty:
        return []

    def bare(frame: pd.DataFrame) -> pd.MultiIndex:
        return pd.MultiIndex.from_frame(frame[list(key)].apply(lambda column: column.str.lstrip("0")))

    found = int(bare(ours).isin(bare(right)).sum())
    if not found:
        return []
    return [
        f"{subject}: {found} of these rows would find a match if {some(key)} had no leading zeros: a spreadsheet has "
        "taken them away in one of the two files. Get that file again with the column as text."
    ]
