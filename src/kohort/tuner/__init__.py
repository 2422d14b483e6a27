"""Which recipe suits this data: a search over techniques and strengths, ended by an honest comparison."""

from kohort.extras import require

require("a search, of which Optuna chooses the candidates,", "tune", "optuna")
