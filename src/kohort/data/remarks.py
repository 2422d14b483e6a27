"""What a reader should know of a table before believing a network: columns that give the target away."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from kohort.data.columns import Column

LOOKED_AT = 3_000  # rows; a column that gives the target away shows it on fewer
COLUMNS_LOOKED_AT = 300
TOO_GOOD = 0.995  # accuracy, or explained variance, of a small tree on one column alone


def giveaways(x: np.ndarray, columns: Sequence[Column], y: np.ndarray, classes: bool) -> list[str]:
    """A sentence for each column that alone predicts the target almost perfectly, as the target's own traces do.

    Args:
        x: Cells, float64 of shape (rows, columns).
        columns: What they are.
        y: Targets.
        classes: Whether they are class numbers.
    """
    generator = np.random.default_rng(0)
    rows = generator.permutation(len(y))[:LOOKED_AT]
    target = y[rows]
    counts = np.unique(target, return_counts=True)[1]
    if len(rows) < 30 or len(counts) < 2 or (classes and counts.max() > TOO_GOOD * len(rows)):
        return []
    found = []
    for position, column in enumerate(columns[:COLUMNS_LOOKED_AT]):
        distinct, ranks = np.unique(x[rows, position], return_inverse=True)
        if len(distinct) < 2:
            continue
        values = ranks.astype(np.float32)[:, None]  # a tree heeds the order alone; missing cells come last
        if classes:
            tree, scoring = DecisionTreeClassifier(max_depth=6, random_state=0), "accuracy"
        else:
            tree, scoring = DecisionTreeRegressor(max_depth=12, random_state=0), "r2"
        folds = np.arange(len(rows)) % 3
        cut = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(3)]
        score = float(np.mean(cross_val_score(tree, values, target, cv=cut, scoring=scoring)))
        if score >= TOO_GOOD:
            what = f"{100 * score:.1f} % of the rows right" if classes else f"{100 * score:.1f} % of the variance"
            found.append(f"{column.name!r} alone tells the target ({what}): would it be known in time?")
    return found
