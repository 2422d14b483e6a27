"""Comparing runs: NumPy and SciPy only; neither Keras nor JAX is needed to read results."""

from kohort.statistics.comparison import Comparison as Comparison
from kohort.statistics.comparison import RecipeSummary as RecipeSummary
from kohort.statistics.comparison import compare as compare
from kohort.statistics.intervals import Interval as Interval
from kohort.statistics.intervals import mean_interval as mean_interval
from kohort.statistics.paired import paired_difference as paired_difference
