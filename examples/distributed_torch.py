"""Training in several processes on PyTorch: DistributedDataParallel, and synchronized statistics.

    python examples/distributed_torch.py --processes 2

The program starts the processes itself, on the CPUs of this machine. Each trains on its own part
of every batch. Exit code 0 means that all of them have ended with the same weights and moving
statistics. `torchrun --nproc-per-node 2 examples/distributed_torch.py` does the same.
"""

import argparse
import os
import sys

from common.processes import free_ports, run_processes

BATCH_SIZE = 64  # of all processes together


def main(arguments: list[str] | None = None) -> int:
    """Starts the processes, or trains in one that was started; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2, help="how many (default: 2)")
    parser.add_argument("--steps", type=int, default=20, help="steps of training (default: 20)")
    options = parser.parse_args(arguments)
    if "RANK" in os.environ:  # set below, and by torchrun
        return train(options.steps)
    meeting = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_ports(1)[0]),
        "WORLD_SIZE": str(options.processes),
        "OMP_NUM_THREADS": "1",
    }
    ranks = [{"RANK": str(rank)} for rank in range(options.processes)]
    return run_processes(__file__, arguments, [{**meeting, **rank} for rank in ranks])


def train(steps: int) -> int:
    """Trains one of the processes; returns 1 if they have come to differ."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import numpy as np
    import torch
    from sklearn.datasets import load_digits
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    import keras_bin

    distributed.init_process_group("gloo")  # on GPUs: "nccl"
    rank, processes = distributed.get_rank(), distributed.get_world_size()

    keras.utils.set_random_seed(rank)  # rank 0 gives its first weights to the others
    inputs = x = keras.Input((8, 8, 1))
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras_bin.BatchInstanceNormalization(momentum=0.9, synchronized=True)(x)
        x = keras.layers.ReLU()(x)
    net = keras.Model(inputs, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))
    model = DistributedDataParallel(net)
    optimizer = keras.optimizers.AdamW(5e-3)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    digits = load_digits()
    order = np.random.default_rng(0)  # the same in every process
    for step in range(1, steps + 1):
        batch = order.choice(len(digits.target), BATCH_SIZE, replace=False)
        mine = np.array_split(batch, processes)[rank]
        images = torch.tensor(digits.images[mine, ..., None] / 16, dtype=torch.float32)
        labels = torch.tensor(digits.target[mine])
        net.zero_grad()
        # Gradients are averaged over processes, whose parts of the batch may differ in size.
        loss = loss_of(labels, model(images, training=True)) * processes / BATCH_SIZE
        loss.backward()
        variables = net.trainable_variables
        gradients = [variable.value.grad for variable in variables]
        keras_bin.apply_gradients(optimizer, zip(gradients, variables, strict=True))
        loss = loss.detach() / processes
        distributed.all_reduce(loss)
        if rank == 0:
            gates = np.concatenate([rho.numpy() for rho in keras_bin.rho_weights(net)])
            print(f"step {step}: loss {loss:.4f}, mean rho {gates.mean():.4f}", flush=True)

    weights = torch.cat([weight.value.detach().flatten() for weight in net.weights])
    everyones = [torch.empty_like(weights) for _ in range(processes)]
    distributed.all_gather(everyones, weights)
    agree = all(torch.equal(each, weights) for each in everyones)
    if rank == 0:
        says = "agree" if agree else "differ"
        print(f"The weights and moving statistics of {processes} processes {says}.")
    del model  # while it holds the group, PyTorch 2.13 may hang in destroying both
    distributed.destroy_process_group()
    return int(not agree)


if __name__ == "__main__":
    sys.exit(main())
