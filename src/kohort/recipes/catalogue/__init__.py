"""The techniques, group by group."""
