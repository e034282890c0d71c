"""What a group's row says of durations: the share that met the event by the horizon."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from researchkit import story


def answer(days, ended, horizon):
    sample = SimpleNamespace(outcome=np.array(days, float), event=np.array(ended), entry=None, cluster=None)
    outcome = SimpleNamespace(horizon=horizon, competing=[2])
    return SimpleNamespace(sample=sample, question=SimpleNamespace(outcome=outcome))


@pytest.mark.parametrize(
    ("ended", "horizon", "share"),
    [
        ([1, 0, 1, 2], 2, 0),  # the first event comes at day 3
        ([1, 0, 1, 2], 3, 25),
        ([1, 0, 1, 2], 9, 25 + 75 / 2),  # of two left after day 4 one by the event
        ([2, 0, 2, 0], 9, 0),
        ([0, 0, 0, 0], 9, 0),
    ],
)
def test_the_share_by_the_horizon_is_that_of_the_events_up_to_it(ended, horizon, share):
    told = story.restricted(answer([3, 4, 5, 6], ended, horizon), np.ones(4, bool))
    assert told[f"Per cent by {horizon}"] == pytest.approx(share)
