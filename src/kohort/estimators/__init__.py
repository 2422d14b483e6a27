"""Estimators for scikit-learn: comparisons and searches that predict as an ensemble."""

from kohort.estimators.estimator import KohortClassifier, KohortRegressor

__all__ = ["KohortClassifier", "KohortRegressor"]
