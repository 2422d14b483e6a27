"""Section 3: dropout while training, none while predicting."""

import kohort
import keras
import numpy as np
from keras import layers

data = kohort.data.named("digits")


def build():
    model = keras.Sequential(
        [
            layers.Dense(128, activation="relu"),
            layers.Dropout(rate=0.5),  # drop 50% of units during training
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


run = kohort.fit(build, data.x, data.y, seeds=[0], epochs=10, validation_split=0.2, verbose=0)[0]
model = run.model()
x = data.x[-5:]
once, again = model(x, training=False), model(x, training=False)
print(f"training accuracy {run.history['accuracy'][-1]:.4f}, with dropout on")
print(f"validation accuracy {run.history['val_accuracy'][-1]:.4f}, with dropout off")
print("two predictions are equal:", bool(np.array_equal(np.asarray(once), np.asarray(again))))
