"""The averages of weights that an optimizer with `use_ema=True` keeps."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import ops

from keras_bin.keras_internals import moving_average, updates
from keras_bin.training.rho_update import leaf_optimizers


@contextlib.contextmanager
def own_averages(optimizer: Any) -> Iterator[None]:
    """Makes training inside a `with` block end with each weight's own average.

    At the end of `fit`, Keras 3.15 gives the first average to the first trainable weight, and so
    on; if a layer was frozen, these are weights of other layers. On JAX, it also leaves weight and
    average in one array, which the next training deletes.

    Args:
        optimizer: the model's optimizer; Keras itself rejects anything that is not one.
    """
    # If a callback of one training starts another one, the optimizer has it already.
    if not isinstance(optimizer, keras.optimizers.Optimizer) or (
        "finalize_variable_values" in vars(optimizer)
    ):
        yield
        return

    def finalize_variable_values(variables: Sequence[keras.Variable]) -> None:
        for leaf in leaf_optimizers(optimizer):
            known = [variable for variable in variables if updates(leaf, variable)]
            finalize = type(leaf).finalize_variable_values
            if finalize is not keras.optimizers.Optimizer.finalize_variable_values:
                finalize(leaf, known)
            elif leaf.use_ema:
                for variable in known:
                    variable.assign(ops.copy(moving_average(leaf, variable)))

    # Not with `setattr`: optimizers track what is set on them.
    vars(optimizer)["finalize_variable_values"] = finalize_variable_values
    try:
        yield
    finally:
        del vars(optimizer)["finalize_variable_values"]
