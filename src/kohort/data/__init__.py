"""What networks are trained on: tables, arrays, how they are cut, and small sets that need no download."""

from kohort.data.array_files import load_arrays as load_arrays
from kohort.data.columns import Column as Column
from kohort.data.dataset import Dataset as Dataset
from kohort.data.dataset import Targets as Targets
from kohort.data.generated import blobs as blobs
from kohort.data.generated import circles as circles
from kohort.data.generated import moons as moons
from kohort.data.generated import spirals as spirals
from kohort.data.images import load_images as load_images
from kohort.data.mnist1d import mnist1d as mnist1d
from kohort.data.named import named as named
from kohort.data.named import names as names
from kohort.data.splitting import Split as Split
from kohort.data.splitting import duplicates_across as duplicates_across
from kohort.data.splitting import sizes as sizes
from kohort.data.splitting import split as split
from kohort.data.tables import load as load
