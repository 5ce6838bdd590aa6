"""Trains in processes of `torch.distributed`, and prints what came of it; run by test_torch.py.

    python -m tests.distributed.torch_program FOLDER RANK PROCESSES

FOLDER holds `case.npz`, an input of a layer. It prints, as JSON, what a net makes of training
alone on the whole batch and as a part of `DistributedDataParallel`, and what a layer computes.
"""

import gc
import json
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

import keras_bin
from testing import reference
from testing.small_net import batch
from tests.distributed.training import (
    RATE,
    STEPS,
    bin_weights,
    build_net,
    cross_entropy,
    optimizer,
    rho_of,
)

EPSILON = 0.01  # of the layer of the gradient penalty


def part_of(arrays, rank, ends):
    """Returns the rows of a rank; `ends` are where the parts of all ranks but the last end."""
    return [np.split(array, ends)[rank] for array in arrays]


def keras_steps(net):
    """Returns a function that takes a step of a Keras optimizer."""
    step_of, variables = optimizer(), net.trainable_variables

    def step():
        gradients = [variable.value.grad for variable in variables]
        keras_bin.apply_gradients(step_of, zip(gradients, variables, strict=True))

    return step


def torch_steps(net):
    """Returns a function that takes a step of PyTorch's AdamW with clipped gradients."""
    rhos = [rho.value for rho in keras_bin.rho_weights(net)]
    others = [each for each in net.parameters() if all(each is not rho for rho in rhos)]
    groups = [{"params": others}, {"params": rhos, "lr": 10 * RATE, "weight_decay": 0.0}]
    step_of = torch.optim.AdamW(groups, lr=RATE)

    def step():
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        step_of.step()
        with torch.no_grad():
            for rho in rhos:
                rho.clamp_(0, 1)

    return step


def trained(ends, synchronized, steps_of=keras_steps):
    """Trains a net on this rank's part of the batch, or alone on all of it if `ends` is None."""
    images, labels = batch()
    rows, ranks = len(images), 1
    # Ranks draw other weights, and DistributedDataParallel gives all of them those of rank 0.
    net = model = build_net(synchronized, seed=1 if ends is None else 1 + distributed.get_rank())
    if ends is not None:
        ranks = distributed.get_world_size()
        model = DistributedDataParallel(net)
        images, labels = part_of((images, labels), distributed.get_rank(), ends)
    images, labels = torch.tensor(images), torch.tensor(labels)
    take_step, losses, gates, gradients = steps_of(net), [], [], []
    for _ in range(STEPS):
        net.zero_grad()
        # The average over ranks, which is what gradients become, is that over all rows.
        loss = cross_entropy("sum")(labels, model(images, training=True)) * ranks / rows
        loss.backward()
        gradients = [variable.value.grad.tolist() for variable in net.trainable_variables]
        take_step()
        loss = loss.detach()
        if ends is not None:
            distributed.all_reduce(loss)
        losses.append(float(loss) / ranks)
        gates.append(rho_of(net))
    return {"losses": losses, "gates": gates, "gradients": gradients, "weights": bin_weights(net)}


def layer_results(case, ends, synchronized, masked):
    """Returns what a layer makes of this rank's rows: outputs, gradients, moving statistics."""
    x, mask = part_of((case["x"], case["mask"]), distributed.get_rank(), ends)
    weights = reference.random_weights(x.shape[-1])
    layer = keras_bin.BatchInstanceNormalization(synchronized=synchronized)
    layer.build(x.shape)
    layer.set_weights(list(weights))
    x = torch.tensor(x, requires_grad=True)
    y = layer(x, training=True, mask=torch.tensor(mask) if masked else None)
    (y * torch.cos(x.detach())).sum().backward()
    learned = [weight.value.grad.tolist() for weight in (layer.gamma, layer.beta, layer.rho)]
    moving = [weight.tolist() for weight in layer.get_weights()[-2:]]
    return {"y": y.tolist(), "dx": x.grad.tolist(), "learned": learned, "moving": moving}


def penalty_gradient(case, ends):
    """Returns the gradient by x of `sum((dL/dx)**2)`, `L = sum(cos(x) * sin(y))`, of all ranks."""
    (x,) = part_of((case["x"],), distributed.get_rank(), ends)
    layer = keras_bin.BatchInstanceNormalization(synchronized=True, epsilon=EPSILON)
    layer.build(x.shape)
    layer.set_weights(list(reference.random_weights(x.shape[-1])))
    x = torch.tensor(x, requires_grad=True)
    loss = (torch.cos(x.detach()) * torch.sin(layer(x, training=True))).sum()
    (inner,) = torch.autograd.grad(loss, x, create_graph=True)
    return torch.autograd.grad((inner**2).sum(), x)[0].tolist()


def reverted():
    """Returns the classes of a synchronized layer that is turned back, and what is said of it."""
    layer = keras_bin.BatchInstanceNormalization(synchronized=True)
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        copy = keras_bin.revert_to_batch_normalization(model)
    return [type(each).__name__ for each in copy.layers], [str(each.message) for each in caught]


class Trains(keras.layers.Layer):
    """A layer whose output's shape Keras finds by calling it."""

    def __init__(self):
        super().__init__()
        self.bin = keras_bin.BatchInstanceNormalization(synchronized=True)

    def call(self, inputs):
        return self.bin(inputs, training=True)


def main(folder, rank, processes):
    torch.set_num_threads(1)
    case = np.load(Path(folder) / "case.npz")
    results = {"alone": trained(None, True), "alone, torch.optim": trained(None, True, torch_steps)}
    results["reverted"] = reverted()
    meeting = Path(folder).absolute() / "meeting"
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=int(processes)
    )
    halves, uneven = [len(batch()[0]) // 2], [10]
    results["synchronized"] = trained(halves, True)
    results["uneven"] = trained(uneven, True)
    results["torch.optim"] = trained(halves, True, torch_steps)
    results["apart"] = trained(halves, False)
    results["penalty gradient"] = penalty_gradient(case, [5])
    for masked in (False, True):
        results[f"layer, masked {masked}"] = layer_results(case, [5], True, masked)
    results["layer, apart"] = layer_results(case, [5], False, False)
    if distributed.get_rank() == 0:  # a rank may build a model alone
        results["built"] = Trains()(keras.Input((4, 4, 3))).shape
    distributed.barrier()
    gc.collect()  # a DistributedDataParallel that outlives its group may hang (PyTorch 2.13)
    distributed.destroy_process_group()
    print(json.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
