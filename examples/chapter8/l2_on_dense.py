"""Section 2: L2 on a Dense layer, next to the same network without; strengths share one program."""

import kohort
import keras
from keras import layers, regularizers

data = kohort.data.named("digits")


def build(strength):
    model = keras.Sequential(
        [
            layers.Dense(64, activation="relu", kernel_regularizer=regularizers.l2(strength)),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


recipes = {f"l2({strength})": lambda s=strength: build(s) for strength in (0.0, 0.001, 0.01)}
runs = kohort.fit(recipes, data.x, data.y, seeds=5, epochs=10, validation_split=0.2, verbose=0)
print(f"{len(runs)} runs in {len(runs.cohorts)} program(s)")
for name in recipes:
    accuracy = [run.history["val_accuracy"][-1] for run in runs.of(name)]
    norm = [float((run.weights[0] ** 2).sum()) for run in runs.of(name)]
    print(
        f"{name}: mean val_acc = {sum(accuracy) / 5:.4f}, mean squared norm of the first kernel = {sum(norm) / 5:.1f}"
    )
