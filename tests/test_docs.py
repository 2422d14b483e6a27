"""Pages of the documentation that are made from code say what the code says."""

import json
import re

import pytest

from benchmarks import literature, tables
from kohort.lab import page as pages
from kohort.lab.chapter8 import CLAIMS
from tests import schema_page
from tests.subjects import SUBJECTS
from tests.subjects.table import HEADINGS, MEANINGS, PAGE, page


def test_the_table_of_features_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.subjects.table"


def test_the_readme_counts_them() -> None:
    assert f"| {len(SUBJECTS)} features, each trained" in (PAGE.parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_subject_is_in_the_table_once() -> None:
    assert {subject.group for subject in SUBJECTS} == set(HEADINGS)
    assert {subject.status for subject in SUBJECTS} <= set(MEANINGS)
    names = [(subject.group, subject.feature) for subject in SUBJECTS]
    assert len(set(names)) == len(names) >= 80
    assert all(subject.why for subject in SUBJECTS if subject.status != "same" or subject.tolerance != 1e-5)


def test_the_tables_of_pages_are_those_of_the_last_results() -> None:
    for path, text in tables.pages().items():
        assert path.read_text("utf-8") == text, "run python -m benchmarks.tables"


def test_the_page_on_the_literature_is_that_of_the_last_results() -> None:
    told = json.loads(literature.RESULTS.read_text("utf-8"))
    assert literature.PAGE.read_text("utf-8") == literature.written(told), "run python -m benchmarks.literature"


def test_the_labs_book_is_whole_and_says_what_its_numbers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "svg", lambda spec, name: "<svg></svg>")  # which depend on the versions of Vega
    results = {claim.name: tables.result_of(claim) for claim in CLAIMS.values()}
    claims = list(CLAIMS.values())
    made = {f"{name}.html": pages.claim_page(result, claims) for name, result in results.items()}
    made |= {"index.html": pages.index_page(results, claims), "viva.html": pages.viva_page(results)}
    for name, text in made.items():
        kept = re.sub(r"<svg.*?</svg>", "<svg></svg>", (tables.BOOK / name).read_text("utf-8"), flags=re.DOTALL)
        assert kept == text, f"{name}: run kohort lab --all --folder docs/lab"
    assert all(not result.scale.quick and result.scale.seeds == result.claim.seeds for result in results.values())
    assert max(result.seconds for result in results.values()) < 6 * 60
    assert sum(result.seconds for result in results.values()) < 90 * 60


def test_the_page_on_a_studys_folder_is_that_of_the_schema() -> None:
    assert schema_page.PAGE.read_text("utf-8") == schema_page.page(), "run python -m tests.schema_page"
    assert schema_page.page().count("\n| ") > 30
