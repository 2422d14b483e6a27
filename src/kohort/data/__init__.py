"""What networks are trained on: datasets, how they are cut, and the small ones that need no download."""

from kohort.data.dataset import Dataset as Dataset
from kohort.data.dataset import Split as Split
from kohort.data.dataset import sizes as sizes
from kohort.data.dataset import split as split
from kohort.data.named import named as named
from kohort.data.named import names as names
