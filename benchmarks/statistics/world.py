"""A world in which the truth is known: runs that classify test rows right or wrong, by a probit model.

Run (recipe k, seed j) is right on row i if

    μ_k + a_j + α_kj + b_i + β_ki + γ_ji + ε_kji > 0,

all normal and independent: a_j what seed j's split and order do to every recipe, α_kj the training noise of one run,
b_i how hard a row is, β_ki which rows a recipe is better at, γ_ji what a split does to a row, ε the rest, of variance
1. Scores of the population, and of the population of seeds on given rows, are in closed form.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from kohort.statistics import ScoreTable


@dataclass(frozen=True)
class World:
    """Standard deviations of the effects; `scores` is each recipe's accuracy on the population.

    `cell` is γ's, `split` a's, `run` α's, `hardness` b's, `taste` β's.
    """

    scores: tuple[float, ...]
    split: float = 0.1
    run: float = 0.05
    hardness: float = 1.5
    taste: float = 0.0
    cell: float = 0.3

    @property
    def mu(self) -> np.ndarray:
        variance = self.split**2 + self.run**2 + self.hardness**2 + self.taste**2 + self.cell**2 + 1.0
        return special.ndtri(np.array(self.scores)) * np.sqrt(variance)

    def draw(self, seeds: int, rows: int, generator: np.random.Generator) -> tuple[ScoreTable, np.ndarray]:
        """A table, and each recipe's accuracy over all seeds on its rows."""

        def normal(size: float, *shape: int) -> np.ndarray:
            return np.float32(size) * generator.standard_normal(shape, dtype=np.float32)

        recipes = len(self.scores)
        on_row = self.mu[:, None] + normal(self.hardness, 1, rows) + normal(self.taste, recipes, rows)
        latent = normal(1.0, recipes, seeds, rows) + normal(self.cell, 1, seeds, rows)
        latent += normal(self.split, 1, seeds, 1) + normal(self.run, recipes, seeds, 1)
        latent += on_row.astype(np.float32)[:, None, :]
        right = (latent > 0).astype(np.float64)
        spread = np.sqrt(1.0 + self.cell**2 + self.split**2 + self.run**2)
        names = tuple(f"recipe {index}" for index in range(recipes))
        table = ScoreTable(names, tuple(range(seeds)), right.mean(axis=2), right)
        return table, special.ndtr(on_row / spread).mean(axis=1)


def first_seeds(table: ScoreTable, seeds: int) -> ScoreTable:
    """The table as it was after so many seeds."""
    assert table.rows is not None
    return ScoreTable(table.recipes, table.seeds[:seeds], table.scores[:, :seeds], table.rows[:, :seeds])
