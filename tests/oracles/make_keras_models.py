"""Models of Keras and TensorFlow for the tests of `fairweight convert`, made by the Python of `.venv-convert`.

    .venv-convert/bin/python tests/oracles/make_keras_models.py FOLDER

`FOLDER/expected.npz` holds digits and what the network `cnn` makes of them; the files called `bad_*` are to be refused.
"""

import json
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

digits = np.load(folder / "digits.npz")
images, labels = digits["images"], digits["labels"]
cnn = keras.Sequential(
    [
        keras.Input((8, 8, 1), name="image"),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.BatchNormalization(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.2),
        layers.Dense(10, activation="softmax", name="digit"),
    ]
)
cnn.compile("adam", "sparse_categorical_crossentropy")
cnn.fit(images[:1400], labels[:1400], epochs=5, verbose=0)
np.savez(folder / "expected.npz", images=images[1400:], outputs=cnn.predict(images[1400:], verbose=0))
cnn.save(folder / "cnn.keras")
cnn.save(folder / "cnn.h5")
cnn.export(folder / "cnn_savedmodel", verbose=False)
converter = tf.lite.TFLiteConverter.from_keras_model(cnn)
(folder / "cnn.tflite").write_bytes(converter.convert())
converter.optimizations = [tf.lite.Optimize.DEFAULT]
converter.representative_dataset = lambda: ([images[i : i + 1]] for i in range(200))
(folder / "cnn_int8.tflite").write_bytes(converter.convert())

age, sex = keras.Input((5,), name="age"), keras.Input((3,), name="sex")
hidden = layers.Concatenate()([age, sex])
risk, chance = layers.Dense(2, name="risk")(hidden), layers.Dense(1, activation="sigmoid", name="chance")(hidden)
keras.Model({"age": age, "sex": sex}, [risk, chance]).save(folder / "columns.keras")
tokens = keras.Input((7,), dtype="int32", name="tokens")
keras.Model(tokens, layers.Dense(2)(layers.LSTM(8)(layers.Embedding(50, 8)(tokens)))).save(folder / "lstm.keras")
numbers, job = keras.Input((4,), name="numbers"), keras.Input((1,), dtype="string", name="job")
scaled = layers.Normalization()
scaled.adapt(np.random.default_rng(0).normal(3, 2, (100, 4)))
hidden = layers.Dense(8, activation="gelu")(scaled(numbers))
keras.Model(numbers, layers.Dense(1, activation="sigmoid", name="chance")(hidden)).save(folder / "scaled.keras")
codes = layers.StringLookup(vocabulary=["a", "b"], output_mode="one_hot")(job)
keras.Model([numbers, job], layers.Dense(1)(layers.Concatenate()([numbers, codes]))).save(folder / "bad_lookup.keras")
words = keras.Input((None,), dtype="int64", name="words")
hidden = layers.Embedding(50, 8)(words)
hidden = layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(hidden, hidden))
keras.Model(words, layers.Dense(2)(hidden)).save(folder / "attention.keras")


@keras.saving.register_keras_serializable("mine")
class Registered(layers.Layer):
    def call(self, rows):
        return rows * 2


class Own(layers.Layer):
    def call(self, rows):
        return rows * 2


def own_activation(rows):
    return rows * 2


def saved(name, *middle):
    model = keras.Sequential([keras.Input((8,)), *middle, layers.Dense(3)])
    model.save(folder / f"{name}.keras")
    model.save(folder / f"{name}.h5")


saved("bad_lambda", layers.Lambda(lambda rows: rows + 1))
saved("bad_own", Own())
saved("bad_registered", Registered())
saved("bad_activation", layers.Dense(4, activation=own_activation))
keras.Sequential([layers.Dense(3)]).save(folder / "bad_unbuilt.keras")
cnn.save_weights(folder / "bad_weights.weights.h5")


def edited(name, class_name, module):
    """A `.keras` file that names another class in place of its layer."""
    source = folder / "bad_own.keras"
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(folder / f"{name}.keras", "w") as target:
        for member in archive.namelist():
            content = archive.read(member)
            if member == "config.json":
                config = json.loads(content)
                layer = next(each for each in config["config"]["layers"] if each["class_name"] == "Own")
                layer |= {"class_name": class_name, "module": module, "registered_name": None}
                content = json.dumps(config).encode()
            target.writestr(member, content)


edited("bad_module", "system", "os")
edited("bad_pickle", "TorchModuleWrapper", "keras.layers")


class Writing(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32)])
    def run(self, rows):
        tf.io.write_file(str(folder / "written"), "by the model")
        return rows * 2


writing = Writing()
tf.saved_model.save(writing, folder / "bad_writing", signatures={"run": writing.run})


class Two(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="rows")])
    def double(self, rows):
        return {"doubled": rows * 2}

    @tf.function(input_signature=[tf.TensorSpec((None, 3), tf.float32, name="rows")])
    def determinant(self, rows):
        return {"beta": tf.math.bessel_i0(rows)}


network = Two()
tf.saved_model.save(network, folder / "two", signatures={"double": network.double, "determinant": network.determinant})
