"""Trains on several devices with JAX, and prints what came of it; run by test_jax.py.

    python -m tests.distributed.jax_program FOLDER
    python -m tests.distributed.jax_program FOLDER RANK PROCESSES PORT

The first trains on one device and on four, the second on the devices of several processes. A net is
trained by `fit` or in a loop of its own, and the program prints its losses, the gates after
each step, its BIN weights, and how its gates are divided, as JSON.
"""

import json
import sys
from pathlib import Path

import jax
import keras
import numpy as np

import keras_bin
from testing.small_net import batch
from tests.distributed.training import (
    LAYERS,
    STEPS,
    bin_weights,
    build_net,
    cross_entropy,
    optimizer,
    rho_of,
)


def data_parallel():
    return keras.distribution.DataParallel(auto_shard_dataset=False)


def model_parallel(shape):
    """Divides channels among devices; `shape` is that of the mesh, parts of batch and channels."""
    mesh = keras.distribution.DeviceMesh(shape, ("batch", "model"))
    layouts = keras.distribution.LayoutMap(mesh)
    layouts["conv.*kernel"] = (None, None, None, "model")
    layouts["bin.*"] = ("model",)
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
    )


def fitted(net, images, labels):
    """Trains by `fit`, one step an epoch; returns losses, and gates as `RhoHistory` has them."""
    net.compile(optimizer(), cross_entropy())
    history = keras_bin.RhoHistory()
    size = {"batch_size": len(images), "verbose": 0, "shuffle": False}
    fit = net.fit(images, labels, epochs=STEPS, callbacks=[history], **size)
    return fit.history["loss"], [
        [history.rho[name][i + 1].tolist() for name in LAYERS] for i in range(STEPS)
    ]


def looped(net, images, labels):
    """Trains in a loop; the values of variables stay on the devices that Keras has put them on."""
    step_of = optimizer()
    step_of.build(net.trainable_variables)
    variables = (net.trainable_variables, net.non_trainable_variables, step_of.variables)
    state = [[variable.value for variable in each] for each in variables]
    shardings = jax.tree.map(lambda value: value.sharding, state)
    distribution = keras.distribution.distribution()

    def placed(array):
        if distribution is None:
            return array
        layout = distribution.get_data_layout(array.shape).backend_layout
        return jax.make_array_from_process_local_data(layout, array)

    def loss_of(trainable, others, images, labels):
        logits, others = net.stateless_call(trainable, others, images, training=True)
        return cross_entropy()(labels, logits), others

    def step(state, images, labels):
        trainable, others, held = state
        gradient = jax.value_and_grad(loss_of, has_aux=True)
        (loss, others), gradients = gradient(trainable, others, images, labels)
        trainable, held = keras_bin.stateless_apply(step_of, held, gradients, trainable)
        return loss, [trainable, others, held]

    step = jax.jit(step, out_shardings=(None, shardings))
    losses, gates = [], []
    for _ in range(STEPS):
        loss, state = step(state, placed(images), placed(labels))
        for each, values in zip(variables, state, strict=True):
            for variable, value in zip(each, values, strict=True):
                variable.assign(value)
        losses.append(float(loss))
        gates.append(rho_of(net))
    return losses, gates


def trained(distribution, train, synchronized, images, labels):
    """Trains a net; returns it and what is printed of it."""
    keras.distribution.set_distribution(distribution)
    net = build_net(synchronized)
    losses, gates = train(net, images, labels)
    values = [net.get_layer(name).rho.value for name in LAYERS]
    divided = [value.addressable_shards[0].data.shape[0] for value in values]
    return net, {"losses": losses, "gates": gates, "channels per device": divided}


def on_devices(folder):
    """Trains on one device and on four, by `fit` and in a loop, and uses what was trained."""
    images, labels = batch()
    results = {}
    for name, distribution in {
        "one": lambda: None,
        "data": data_parallel,
        "model": lambda: model_parallel((2, 2)),
    }.items():
        for way, train in {"fit": fitted, "loop": looped}.items():
            # JAX must train alike whatever `synchronized` says.
            synchronized = (name, way) in (("data", "loop"), ("model", "fit"))
            net, result = trained(distribution(), train, synchronized, images, labels)
            results[f"{name}, {way}"] = {**result, "weights": bin_weights(net)}
            if way == "fit":
                net.save(folder / f"{name}.keras")
                loaded = keras.saving.load_model(folder / f"{name}.keras")
                results[f"{name}, fit"]["predictions"] = [
                    each.predict(images, verbose=0).tolist() for each in (net, loaded)
                ]
    return results


def in_processes(folder, rank, processes, port):
    """Trains on the devices of all processes; each has a part of the batch of its own."""
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(f"127.0.0.1:{port}", processes, rank)
    images, labels = batch()
    part = np.split(images, processes)[rank], np.split(labels, processes)[rank]
    results = {}
    for way, train in {"fit": fitted, "loop": looped}.items():
        net, result = trained(data_parallel(), train, False, *part)
        results[f"data, {way}"] = {**result, "weights": bin_weights(net)}
    net.save(folder / f"process-{rank}.keras")
    # The gates are divided among the processes, so each needs the whole batch and a part of rho.
    net, result = trained(model_parallel((1, len(jax.devices()))), fitted, False, images, labels)
    return {**results, "model, fit": result}


def main(folder, *process):
    folder = Path(folder)
    results = in_processes(folder, *map(int, process)) if process else on_devices(folder)
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
