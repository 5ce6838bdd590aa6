"""Modules of a user's own, as files, and models that hold their classes and functions."""

import contextlib
import sys

import keras

from keras_bin.export.models.user_modules import import_modules

SOURCE = """
import keras
from {neighbour} import FACTOR


class Scale(keras.layers.Layer):
    def __init__(self, factor=FACTOR, **arguments):
        super().__init__(**arguments)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def compute_output_shape(self, shape):
        return shape

    def get_config(self):
        return {{**super().get_config(), "factor": self.factor}}


class Outer(keras.layers.Layer):
    def __init__(self, inner=None, **arguments):
        super().__init__(**arguments)
        self.inner = inner or Scale(3.0, name="inner")

    def call(self, inputs):
        return self.inner(inputs)

    def get_config(self):
        inner = keras.saving.serialize_keras_object(self.inner)
        return {{**super().get_config(), "inner": inner}}

    @classmethod
    def from_config(cls, config):
        inner = keras.saving.deserialize_keras_object(config.pop("inner"))
        return cls(inner, **config)


class LayerNormalization(Scale):
    pass


class Refusing(keras.layers.Layer):
    def __init__(self, units):
        super().__init__()

    def call(self, inputs):
        return inputs


class OwnModel(keras.Model):
    pass


@keras.saving.register_keras_serializable(package="my_pack")
class Registered(Scale):
    pass


class Twos(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return 2 * keras.ops.ones(shape, dtype)


class Positive(keras.constraints.Constraint):
    def __call__(self, weights):
        return keras.ops.abs(weights)


class Sum(keras.regularizers.Regularizer):
    def __call__(self, weights):
        return keras.ops.sum(weights)

    def get_config(self):
        return {{}}


def double(x):
    return 2 * x


def square(x):
    return 2 * x


def threes(shape, dtype=None):
    return 3 * keras.ops.ones(shape, dtype)


def relu(x):
    return 100 * x


def own_loss(y, predicted):
    return y - predicted
"""


@contextlib.contextmanager
def forgotten_imports(folder):
    """Forgets after a `with` block which modules in a folder, and on which paths, it imported."""
    path, registered = [*sys.path], dict(keras.saving.get_custom_objects())
    try:
        yield
    finally:
        sys.path[:] = path
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(folder)):
                del sys.modules[name]
        keras.saving.get_custom_objects().clear()
        keras.saving.get_custom_objects().update(registered)


def write_module(folder, name="own_layers"):
    """Writes a module and a neighbour that it imports; returns its file."""
    neighbour = f"{name}_constants"
    (folder / f"{neighbour}.py").write_text("FACTOR = 2.0\n")
    (folder / f"{name}.py").write_text(SOURCE.format(neighbour=neighbour))
    return folder / f"{name}.py"


def save_model(folder, make, name="model.keras"):
    """Saves what `make` returns for the module, which is forgotten then; returns both files."""
    file = write_module(folder)
    with forgotten_imports(folder):
        (module,) = import_modules([file])
        make(module).save(folder / name)
    return folder / name, file


def net(*layers, model_class=keras.Model):
    """Chains layers."""
    inputs = x = keras.Input((4, 4, 3), name="image")
    for layer in layers:
        x = layer(x)
    return model_class(inputs, x)
