"""Errors for an artifact that was written but is wrong."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .verification import Verification


class VerificationError(ValueError):
    """An artifact differs from the model that it was exported from.

    Attributes:
        differences: one line per difference, each with its figures.
        verification: the `Verification` of all outputs if values were compared, else None.

    Example:
    >>> from keras_bin.export import NamesError, VerificationError
    >>> try:
    ...     raise NamesError("The names must be the model's:", ["expected ['z'], got ['y']"])
    ... except VerificationError as error:
    ...     print(error)
    The names must be the model's:
      expected ['z'], got ['y']
    """

    def __init__(
        self, rule: str, differences: list[str], verification: "Verification | None" = None
    ):
        super().__init__(rule, differences)
        self.differences = tuple(differences)
        self.verification = verification

    def __str__(self) -> str:
        return "\n  ".join([self.args[0], *self.differences])


class NamesError(VerificationError):
    """Inputs or outputs of the artifact have other names than the model's.

    Example:
    >>> import keras, tempfile
    >>> from keras_bin.export import NamesError, export_onnx, verify
    >>> inputs = keras.Input((2,), name="x")
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="y")(inputs))
    >>> other = keras.Model(inputs, keras.layers.Dense(1, name="z")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_onnx(model, f"{folder}/model.onnx", verbose=False).path
    ...     try:
    ...         verify(path, other)
    ...     except NamesError as error:
    ...         print(error.differences[0])
    outputs: expected ['z'], got ['y']
    """


class ShapeError(VerificationError):
    """An input or output of the artifact has another shape than the model's.

    Example:
    >>> import keras, tempfile
    >>> from keras_bin.export import ShapeError, export_onnx, verify
    >>> inputs = keras.Input((2,), name="x")
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="y")(inputs))
    >>> other = keras.Model(inputs, keras.layers.Dense(2, name="y")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_onnx(model, f"{folder}/model.onnx", verbose=False).path
    ...     try:
    ...         verify(path, other)
    ...     except ShapeError as error:
    ...         print(error.differences[0])
    output 'y': expected (None, 2), got (None, 1)
    """


class DtypeError(VerificationError):
    """An input or output of the artifact has another dtype than the model's.

    Example:
    >>> import keras, tempfile
    >>> from keras_bin.export import DtypeError, export_onnx, verify
    >>> inputs = keras.Input((2,), name="x")
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="y")(inputs))
    >>> other = keras.Model(inputs, keras.layers.Dense(1, name="y", dtype="float64")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_onnx(model, f"{folder}/model.onnx", verbose=False).path
    ...     try:
    ...         verify(path, other)
    ...     except DtypeError as error:
    ...         print(error.differences[0])
    output 'y': expected float64, got float32
    """


class ValuesError(VerificationError):
    """An output of the artifact differs by more than the tolerance, or is not finite.

    Example:
    >>> import keras, tempfile
    >>> from keras_bin.export import ValuesError, export_onnx, verify
    >>> inputs = keras.Input((2,), name="x")
    >>> model = keras.Model(inputs, keras.layers.Dense(1, name="y")(inputs))
    >>> other = keras.Model(inputs, keras.layers.Dense(1, "relu", name="y")(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = export_onnx(model, f"{folder}/model.onnx", verbose=False).path
    ...     try:
    ...         verify(path, other)
    ...     except ValuesError as error:
    ...         print(error.verification.max_abs > error.verification.atol)
    True
    """


class OperatorError(VerificationError):
    """The artifact needs operators that a stock runtime does not have.

    Example:
    >>> import keras, tempfile
    >>> from keras_bin.export import OperatorError, export_onnx
    >>> inputs = keras.Input((2, 2), name="x")
    >>> model = keras.Model(inputs, keras.ops.inv(inputs))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     try:
    ...         export_onnx(model, f"{folder}/model.onnx", verbose=False)
    ...     except OperatorError as error:
    ...         print(error.differences[0])
    TensorFlow.MatrixInverse
    """
