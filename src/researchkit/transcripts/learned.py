"""A small coder learned from turns that people have coded: words and pairs of words, weighed by a logistic model.

It is learned anew from the user's own file each time; no weights are shipped, stored or loaded. What it is worth is
told by conversations that it has not seen. Needs scikit-learn (`pip install 'researchkit[text]'`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import DataError, SourceError
from researchkit.transcripts.phrases import plain

FOLDS = 5
TOKEN = r"(?u)\b\w[\w']*\b|\?"  # noqa: S105 - a question mark tells a question from a reflection
Yes = NDArray[np.bool_]


def model() -> Any:
    """What is fitted: TF-IDF of words and pairs that two turns have at least, then a logistic model, both codes weighed
    alike, for the rare one is the one that is looked for."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError:
        raise SourceError(
            "A coder is learned by scikit-learn, and `pip install 'researchkit[text]'` adds it. `coder: phrases` needs "
            "nothing."
        ) from None
    texts = TfidfVectorizer(preprocessor=plain, token_pattern=TOKEN, ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    return make_pipeline(texts, LogisticRegression(C=2.0, class_weight="balanced", solver="liblinear"))


def fitted(texts: Sequence[str], people: Yes) -> Any:
    """The model learned from turns and people's codes of them (n,).

    Raises
    ------
    DataError
        If people heard the code in all turns or in none, or no word stands in two turns.
    """
    if people.all() or not people.any():
        raise DataError("people heard it in every turn or in none, so nothing can be learned")
    try:
        return model().fit(texts, people)
    except ValueError:  # no word is left to learn from
        raise DataError(
            "no word stands in two of the turns that people have coded, so nothing can be learned"
        ) from None


def held_out(texts: Sequence[str], people: Yes, whose: NDArray[np.int64]) -> Yes:
    """(n,) the code of each turn by a model that has seen no turn of its conversation.

    Raises
    ------
    DataError
        As `fitted`; or if there are fewer conversations than parts to hold out.
    """
    groups = np.unique(whose)
    if len(groups) < 2 * FOLDS:
        raise DataError(f"people have coded {len(groups)} conversations, and learning needs {2 * FOLDS}")
    said, guess = np.array(texts, dtype=object), np.zeros(len(people), dtype=bool)
    part = np.empty(int(groups.max()) + 1, dtype=np.int64)
    part[groups] = np.arange(len(groups)) % FOLDS
    for fold in range(FOLDS):
        out = part[whose] == fold
        guess[out] = fitted(said[~out], people[~out]).predict(said[out])
    return guess
