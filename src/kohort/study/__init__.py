"""A study: recipes × seeds on one dataset, with test rows that nobody trained on."""

from kohort.study.result import Plan as Plan
from kohort.study.result import StudyResult as StudyResult
from kohort.study.study import Study as Study
