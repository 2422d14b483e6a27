"""Section 1: a cosine schedule into Adam, trained under several seeds."""

import kohort
import keras
from keras import layers

data = kohort.data.named("digits")


def build():
    lr_schedule = keras.optimizers.schedules.CosineDecay(initial_learning_rate=1e-3, decay_steps=10000)
    optimizer = keras.optimizers.Adam(learning_rate=lr_schedule)
    model = keras.Sequential([layers.Dense(64, activation="relu"), layers.Dense(10, activation="softmax")])
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


runs = kohort.fit(build, data.x, data.y, seeds=5, epochs=10, validation_split=0.2, verbose=0)
for seed, run in runs.items():
    print(f"seed {seed}: val_acc = {run.history['val_accuracy'][-1]:.4f}")
