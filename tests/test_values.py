"""What is found out does not change afterwards, and what holds arrays is never asked whether it equals another."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil

import pytest

from researchkit import disclosure, estimators, moments, scales, verdict


def classes(room):
    names = [one.name for one in pkgutil.walk_packages(getattr(room, "__path__", ()), f"{room.__name__}.")]
    for module in (room, *map(importlib.import_module, names)):
        for one in vars(module).values():
            if isinstance(one, type) and one.__module__ == module.__name__ and dataclasses.is_dataclass(one):
                yield one


@pytest.mark.parametrize("room", [disclosure, estimators, moments, scales, verdict], ids=lambda room: room.__name__)
def test_values_are_frozen_and_those_with_arrays_are_only_themselves(room):
    for one in classes(room):
        kind = one.__dataclass_params__  # type: ignore[attr-defined]
        arrays = [field.name for field in dataclasses.fields(one) if "Array" in str(field.type)]
        assert kind.frozen, one
        assert kind.eq != bool(arrays), f"{one}: arrays have no one answer to whether they are equal"
