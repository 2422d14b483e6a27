"""The lab: each claim of the textbook's chapter as an experiment, with a prediction that can fail.

import kohort

print(kohort.lab.run("l1-sparsity", seeds=40))
"""

from kohort.lab.book import write_book as write_book
from kohort.lab.book import write_page as write_page
from kohort.lab.chapter8 import CLAIMS as CLAIMS
from kohort.lab.claim import Claim as Claim
from kohort.lab.result import Result as Result
from kohort.lab.running import run as run
