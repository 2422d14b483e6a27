"""Equations that XLA:CPU handles badly, and what computes the same faster; `rules.py` lists them."""
