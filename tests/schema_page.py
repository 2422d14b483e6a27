"""The page of the documentation on a study's folder, from the schema; `python -m tests.schema_page` writes it."""

import re
from collections.abc import Iterator
from pathlib import Path

from kohort.store.schema import SCHEMA, VERSION

PAGE = Path(__file__).parents[1] / "docs" / "study-folder.md"

HEAD = f"""# A study's folder

`kohort compare … --study FOLDER`, or `kohort.Study(…, folder="FOLDER")`, keeps runs as soon as their cohort has
ended.

- `study.sqlite` says what was asked, what ran and how it came out; schema {VERSION}, described below. One process
  writes to it, any number may read it meanwhile.
- `run.cohort` is `{{"recipes": […], "plan": "…"}}`: who trained in one program, and how that lay on the machine.
  Earlier versions of Kohort kept the recipes alone, as a list.
- `records/` holds a safetensors file for each cohort that has ended: its runs' weights, logs and outcomes, and in its
  header all else that is known of them, under a hash. From the records alone `study.sqlite` is made anew.
- `checkpoints/` holds where the cohort in work stands, every half minute: states of all members, logs, callbacks, and
  the generators that draw the orders of batches; two files in turn, so that one is always whole.
- `study.lock` keeps a second writer out.

Typed again, a command goes on: runs that have ended are found, the others train, and all numbers are those of a study
that was left alone, to the bit. Seeds and recipes may be added. Where data, options, the code of builders, or
versions of Kohort, Keras, JAX or NumPy have changed, the study is refused with what differs; `--force` begins a new
generation and keeps the old one. Code that a builder calls in other modules than its own is not looked at. A cohort
that was interrupted half-way goes on from its last checkpoint, with the state of its callbacks; from its beginning
where a callback holds more than numbers, texts and arrays (an open file, an object of the user's).

`kohort show` tells runs that failed, and why: diverged, out of memory even alone, refused since no cohort can train
the recipe, or interrupted, with the epoch that their checkpoint holds. Run again, a study tries these again.

A run that was reported as ended is on the disk: files are written beside their place, synced, and renamed; SQLite
commits with `synchronous = FULL`. `tests/test_store.py` kills a process before each call that touches the disk, lets
each fail (disk full, database locked, no memory), cuts off each file and flips its bits: what is left is right, what
is damaged is named and made anew from the records or trained again.

While a study trains, `live.json` beside it says how it goes on, for whoever follows it (`kohort dashboard`); nothing
depends on it, and it is gone afterwards.

Reading needs neither Keras nor JAX: `kohort studies`, `kohort show FOLDER`, `kohort report FOLDER`, `kohort export
FOLDER runs.csv` (or `.parquet`, `.md`, `.tex`; `--logs` for a row per epoch), `kohort.store.reading.read_study`. A
run that is read back builds its model with its weights and a new optimiser. `--weights best` keeps the weights of each
recipe's run that does best on its own validation rows, of the runs that end together; `--weights none` keeps none.
A folder of an earlier schema is read as it is, and brought to this one when it is next written to.

`kohort rm FOLDER` removes a study, `kohort gc FOLDER` what it does not need: files put aside as damaged, half-written
ones, records of no run.

Not on a network file system: SQLite's locks do not hold there.

## Tables of `study.sqlite`
"""


def tables() -> Iterator[str]:
    """Each table of the schema as a section."""
    for comment, name, columns in re.findall(r"-- (.*?)\nCREATE TABLE (\w+) \(\n(.*?)\n\) STRICT;", SCHEMA, re.DOTALL):
        yield f"\n### {name}\n\n{comment}\n\n| column | type | meaning |\n| --- | --- | --- |\n"
        for line in columns.splitlines():
            found = re.fullmatch(r"\s+(\w+)\s+([A-Z]+)(.*?),?\s+-- (.*)", line)
            if found:
                column, kind, _, meaning = found.groups()
                yield f"| {column} | {kind} | {meaning.replace('|', chr(92) + '|')} |\n"


def page() -> str:
    """The page."""
    return HEAD + "".join(tables())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
