"""The tables of a study's SQLite file, and how files of earlier versions become files of this one."""

from collections.abc import Mapping

VERSION = 2
"""Of the schema, kept in SQLite's `user_version`."""

APPLICATION = 0x4B4F4852
"""SQLite's `application_id` of a study: "KOHR"."""

_FIRST = """
-- What was asked; a new generation begins where data, options, code or versions change under a study.
CREATE TABLE generation (
  id        INTEGER PRIMARY KEY,  -- its number, from 1
  begun     TEXT NOT NULL,  -- when, UTC, ISO 8601
  dataset   TEXT NOT NULL,  -- the data's name
  identity  TEXT NOT NULL,  -- JSON, name -> value: all that decides the numbers of a run, but for recipe and seed
  facts     TEXT NOT NULL,  -- JSON, name -> value: what else a reader wants to know, such as where data come from
  sha256    TEXT NOT NULL   -- of the row's other columns, in hexadecimal
) STRICT;

-- The recipes of a generation.
CREATE TABLE recipe (
  generation INTEGER NOT NULL REFERENCES generation (id),  -- the generation it is of
  name       TEXT NOT NULL,  -- what reports call it
  definition TEXT NOT NULL,  -- what it does, as text that changes when the recipe does
  place      INTEGER NOT NULL,  -- its place among the recipes, from 0
  sha256     TEXT NOT NULL,  -- of the row's other columns, in hexadecimal
  PRIMARY KEY (generation, name)
) STRICT;

-- Files with the arrays of runs that ended together.
CREATE TABLE record (
  file   TEXT PRIMARY KEY,  -- its name in the folder `records`
  bytes  INTEGER NOT NULL,  -- its length
  sha256 TEXT NOT NULL,     -- of its contents, in hexadecimal
  runs   INTEGER NOT NULL   -- how many rows of `run` it belongs to
) STRICT;

-- Runs that have ended.
CREATE TABLE run (
  id          INTEGER PRIMARY KEY,  -- its number in this file
  generation  INTEGER NOT NULL REFERENCES generation (id),  -- the generation it is of
  recipe      TEXT NOT NULL,     -- the recipe's name
  seed        INTEGER NOT NULL,  -- the seed
  ended       TEXT NOT NULL,     -- when, UTC, ISO 8601
  diverged_at INTEGER,           -- the epoch (from 0) after which a log or weight was not finite; NULL: it finished
  first_epoch INTEGER NOT NULL,  -- the number of the first epoch that was trained
  epochs      INTEGER NOT NULL,  -- how many were trained
  params      TEXT NOT NULL,     -- JSON: Keras' History.params
  why_by_fit  TEXT NOT NULL,     -- why plain fit trained it; empty where a cohort did
  metric      TEXT NOT NULL,     -- what it was judged by on the test rows
  higher      INTEGER NOT NULL,  -- 1 if one wants the metric high, else 0
  score       REAL,              -- the metric on the test rows; NULL if not finite
  cohort      TEXT NOT NULL,     -- JSON: the recipes that trained in one program with it
  weights     INTEGER NOT NULL,  -- how many arrays of weights its record holds
  weights_sha256 TEXT NOT NULL,  -- of these, in hexadecimal; empty where there are none
  record      TEXT NOT NULL REFERENCES record (file),  -- the file with its arrays
  place       INTEGER NOT NULL,  -- its place in the record
  sha256      TEXT NOT NULL,     -- of the row's other columns, logs and outcomes, in hexadecimal
  UNIQUE (generation, recipe, seed)
) STRICT;

-- A run's logs, one value an epoch.
CREATE TABLE log (
  run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,  -- whose
  name     TEXT NOT NULL,  -- as in Keras' History.history: loss, val_loss, ...
  numbers  BLOB NOT NULL,  -- float64, little endian
  PRIMARY KEY (run, name)
) STRICT;

-- How a run's final weights do on the test rows.
CREATE TABLE outcome (
  run     INTEGER PRIMARY KEY REFERENCES run (id) ON DELETE CASCADE,  -- whose
  rows    BLOB NOT NULL,  -- the numbers of the test rows, int32, little endian
  numbers BLOB NOT NULL   -- what each contributes, float32, little endian; their mean is the score
) STRICT;
"""

_ADDED_IN_2 = """
-- What was measured of a run's weights, gradients and units while it trained.
CREATE TABLE diagnostic (
  run      INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,  -- whose
  name     TEXT NOT NULL,  -- as in kohort.run.DIAGNOSTICS: weight_norm, gradient_norm, zeros, ...
  numbers  BLOB NOT NULL,  -- float64, little endian
  PRIMARY KEY (run, name)
) STRICT;

-- Runs that have begun, or cannot be trained; a run that ends leaves this table.
CREATE TABLE unfinished (
  generation INTEGER NOT NULL REFERENCES generation (id),  -- the generation it is of
  recipe     TEXT NOT NULL,     -- the recipe's name
  seed       INTEGER NOT NULL,  -- the seed
  since      TEXT NOT NULL,     -- when it began or failed, UTC, ISO 8601
  kind       TEXT NOT NULL,     -- begun, out of memory or refused
  cause      TEXT NOT NULL,     -- why it failed, in words
  epochs     INTEGER NOT NULL,  -- how many its last checkpoint holds; 0: there is none
  sha256     TEXT NOT NULL,     -- of the row's other columns, in hexadecimal
  PRIMARY KEY (generation, recipe, seed)
) STRICT;
"""

SCHEMA = _FIRST + _ADDED_IN_2

MIGRATIONS: Mapping[int, str] = {1: _ADDED_IN_2}
"""Version -> statements that make a file of that version one of the next."""
