"""The worked example: none / L2 / dropout / batch normalisation. `kohort.fit` stands in for the loop over `fit`.

The batch normalisation network is the book's own: it has no input shape and is built when it is trained.
"""

import kohort
import keras
from keras import layers, regularizers

data = kohort.data.named("digits")
X_train, y_train = data.x, data.y


def compiled(stack):
    model = keras.Sequential(stack)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def dense(**options):
    return [layers.Dense(width, activation="relu", **options) for width in (128, 64)]


output = {"units": 10, "activation": "softmax"}
first, second = dense()
models = {
    "none": compiled([*dense(), layers.Dense(**output)]),
    "l2": compiled([*dense(kernel_regularizer=regularizers.l2(0.01)), layers.Dense(**output)]),
    "dropout": compiled([first, layers.Dropout(0.3), second, layers.Dropout(0.3), layers.Dense(**output)]),
    "batchnorm": compiled(
        [
            layers.Dense(128), layers.BatchNormalization(), layers.Activation("relu"),
            layers.Dense(64), layers.BatchNormalization(), layers.Activation("relu"),
            layers.Dense(10, activation="softmax"),
        ]
    ),
}  # fmt: skip

for name, h in kohort.fit(models, X_train, y_train, epochs=50, validation_split=0.2, verbose=0).items():
    val_acc = max(h.history["val_accuracy"])
    print(f"{name}: best val_acc = {val_acc:.4f}")
