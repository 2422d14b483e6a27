"""A study's folder: a SQLite file that says what ran and how it came out, and records with the runs' arrays."""
