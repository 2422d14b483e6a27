"""Categories of many levels: each becomes a vector that is learnt."""

from collections.abc import Sequence
from typing import Any

import keras


def embedding_size(levels: int) -> int:
    """Numbers of the vector that stands for a level: 1.6·levels^0.56, at most 50.

    The rule of thumb of fastai's tabular learner (Howard & Gugger 2020).

    >>> [embedding_size(levels) for levels in (3, 30, 300, 3000)]
    [3, 11, 39, 50]
    """
    return min(50, max(1, round(1.6 * levels**0.56)))


@keras.saving.register_keras_serializable(package="kohort")
class CategoryEmbedding(keras.layers.Layer):
    """Replaces columns that hold numbers of a category by learnt vectors (Guo & Berkhahn 2016).

    Input (rows, columns), output (rows, other columns + all vectors).

    Args:
        columns: For each such column its position and how many levels it has.
        **kwargs: Those of `keras.layers.Layer`.
    """

    def __init__(self, columns: Sequence[tuple[int, int]], **kwargs: Any):
        super().__init__(**kwargs)
        self.columns = tuple((int(position), int(levels)) for position, levels in columns)
        self.embeddings = [keras.layers.Embedding(levels, embedding_size(levels)) for _, levels in self.columns]

    def build(self, input_shape: Any) -> None:
        """Makes the vectors."""
        taken = {position for position, _ in self.columns}
        self._others = [position for position in range(input_shape[-1]) if position not in taken]
        for embedding in self.embeddings:
            embedding.build((input_shape[0],))

    def call(self, inputs: Any) -> Any:
        """The rows with vectors in place of numbers."""
        vectors = [
            embedding(keras.ops.cast(inputs[:, position], "int32"))
            for (position, _), embedding in zip(self.columns, self.embeddings, strict=True)
        ]
        others = keras.ops.take(inputs, keras.ops.convert_to_tensor(self._others, "int32"), axis=1)
        return keras.ops.concatenate([others, *vectors] if self._others else vectors, axis=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(rows, other columns + all vectors)."""
        others = input_shape[-1] - len(self.columns)
        return input_shape[0], others + sum(embedding_size(levels) for _, levels in self.columns)

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return super().get_config() | {"columns": self.columns}
