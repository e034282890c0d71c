"""Clean data of many shapes, none of which is to be accused: skewed, sorted, in waves, with many zeros, few, ..."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from planted.clinic import Planted, stays

CLEAN: dict[str, Callable[[Planted, np.random.Generator], None]] = {}
OUTCOME = "column: trust, kind: score, unit: point"


def clean(change: Callable[[Planted, np.random.Generator], None]) -> Callable[[Planted, np.random.Generator], None]:
    CLEAN[change.__name__] = change
    return change


def made(name: str, seed: int = 0) -> Planted:
    """One of the clean sets; another seed gives other people."""
    one = Planted(stays(1000 + seed))
    CLEAN[name](one, np.random.default_rng(seed))
    return one


@clean
def as_it_is(one, rng):
    pass


@clean
def many_people(one, rng):
    one.frame = stays(int(rng.integers(10**6)), 3000)


@clean
def few_people(one, rng):
    one.frame = stays(int(rng.integers(10**6)), 90)


@clean
def no_effect_at_all(one, rng):
    one.frame["trust"] = rng.normal(4, 1, len(one.frame)).round(2)


@clean
def sorted_by_ward(one, rng):
    one.frame = one.frame.sort_values("ward", kind="stable", ignore_index=True)


@clean
def sorted_by_the_outcome(one, rng):
    one.frame = one.frame.sort_values("trust", kind="stable", ignore_index=True)


@clean
def in_four_waves(one, rng):
    people = stays(int(rng.integers(10**6)), 150)
    waves = []
    for wave in range(4):
        again = people.copy()
        again["trust"] = (people["trust"] + rng.normal(0, 0.5, 150)).round(2)
        again["kindness"] = (people["kindness"] + rng.normal(0, 0.3, 150)).clip(1, 5).round(2)
        waves.append(again.assign(wave=wave + 1))
    one.frame = pd.concat(waves, ignore_index=True)
    one.say("  admitted:", "  wave: {label: Wave}\n  admitted:")


@clean
def a_wide_spread_of_times(one, rng):
    one.frame["minutes"] = np.exp(rng.normal(3, 1.6, len(one.frame))).round(2)


@clean
def a_few_very_long_times(one, rng):
    one.frame["minutes"] = (5 * (1 + rng.pareto(1.5, len(one.frame)))).round(2)


@clean
def mostly_zeros(one, rng):
    n = len(one.frame)
    one.frame["complaints"] = np.where(rng.uniform(size=n) < 0.9, 0, rng.poisson(3, n))
    one.frame["minutes"] = np.where(rng.uniform(size=n) < 0.6, 0, np.exp(rng.normal(3, 0.5, n)).round(1))
    one.say("  admitted:", "  complaints: {label: Complaints}\n  admitted:")


@clean
def whole_numbers_of_few_values(one, rng):
    for name in ("kindness", "trust", "severity"):
        one.frame[name] = one.frame[name].round().astype(int)


@clean
def declared_codes_for_missing(one, rng):
    rows = rng.choice(len(one.frame), 20, replace=False)
    one.frame.loc[rows, "severity"] = -99
    one.say("severity: {label: Severity, unit: point}", "severity: {label: Severity, unit: point, missing: [-99]}")


@clean
def gaps_by_chance(one, rng):
    for name in ("trust", "severity", "age"):
        one.frame[name] = one.frame[name].astype(float).mask(rng.uniform(size=len(one.frame)) < 0.06)


@clean
def ids_that_count_up(one, rng):
    one.frame["patient"] = np.arange(1, len(one.frame) + 1)
    one.frame["ward"] = one.frame["ward"].str[1:].astype(int)


@clean
def ids_with_zeros_before_them(one, rng):
    one.frame["patient"] = [f"{number:06d}" for number in rng.permutation(len(one.frame))]


@clean
def changes_that_may_be_negative(one, rng):
    one.frame["severity"] = rng.integers(-9, 10, len(one.frame))
    one.frame["age"] = rng.normal(0, 10, len(one.frame)).round(1)


@clean
def per_cents_that_are_whole(one, rng):
    one.frame["minutes"] = np.rint(100 * rng.beta(2, 2, len(one.frame))).astype(int)


@clean
def wards_that_differ_in_what_they_are(one, rng):
    beds = dict(zip(sorted(one.frame["ward"].unique()), rng.integers(8, 60, 12), strict=True))
    one.frame["beds"] = one.frame["ward"].map(beds)
    one.say("  admitted:", "  beds: {label: Beds of the ward}\n  admitted:")


@clean
def yes_or_no(one, rng):
    one.say(OUTCOME, "column: returned, kind: yes_no, good: low")


@clean
def a_trial(one, rng):
    arm = rng.integers(0, 2, len(one.frame))
    one.frame["arm"] = np.where(arm == 1, "kind", "usual")
    one.frame["trust"] = (one.frame["trust"] + 0.5 * arm).round(2)
    one.say("design: observational", "design: randomised")
    one.say("exposure: kindness", "exposure: {column: arm, reference: usual, level: kind}")
    one.say("  admitted:", "  arm: {label: Arm, codes: {kind: kind care, usual: usual care}}\n  admitted:")


@clean
def two_groups_of_patients(one, rng):
    old = rng.uniform(size=len(one.frame)) < 0.5
    one.frame["age"] = np.where(old, rng.normal(78, 5, len(old)), rng.normal(26, 4, len(old))).round().astype(int)


@clean
def names_of_places_in_many_letters(one, rng):
    one.frame["site"] = one.frame["site"].map({"North": "Łódź", "South": "São João", "West": "Münster (Süd)"})


@clean
def months_in_a_row(one, rng):
    one.frame["month"] = one.frame["admitted"].str[:7]
    one.frame["minutes"] = (one.frame["minutes"] * np.linspace(1, 2.5, len(one.frame))).round(1)
    one.say("  admitted:", "  month: {label: Month, type: category}\n  admitted:")


@clean
def wards_that_grow_kinder_and_more_trusted(one, rng):
    ward = one.frame["ward"].str[1:].astype(int)
    one.frame["kindness"] = (one.frame["kindness"] + ward / 12).round(2)
    one.frame["trust"] = (one.frame["trust"] + ward / 8).round(2)
