"""Times training steps as one of several processes; run by `benchmarks.workers`.

    python -m benchmarks.worker_steps WORKER PORTS NET ROUNDS

Prints, as JSON, the seconds of each step and the collectives in its graph, by normalization.
"""

import json
import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

import keras_bin
from benchmarks.nets import NETS
from benchmarks.timing import interleave

BN, BIN = keras.layers.BatchNormalization, keras_bin.BatchInstanceNormalization
COMPARED = {
    "BN": (BN, False, keras.Model),
    "BIN": (BIN, False, keras_bin.BINModel),
    "synchronized BN": (BN, True, keras.Model),
    "synchronized BIN": (BIN, True, keras_bin.BINModel),
}


def train_step(strategy, net: str, name: str):
    """Returns a function that trains on this process's part of a batch, and its graph."""
    layer, synchronized, model_class = COMPARED[name]
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = NETS[net].model(lambda: layer(synchronized=synchronized), model_class)
        model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        model.optimizer.build(model.trainable_variables)
    part = [each[: len(each) // strategy.num_replicas_in_sync] for each in NETS[net].data()]
    images, labels = map(tf.constant, part)

    @tf.function
    def step():
        return strategy.run(model.train_step, ((images, labels),))

    graph = step.get_concrete_function().graph.as_graph_def()
    return lambda: float(strategy.experimental_local_results(step()["loss"])[0]), graph


def collectives(graph) -> int:
    """Counts the collectives of a graph, those of functions in it included."""
    functions = (function.node_def for function in graph.library.function)
    return sum(
        node.op.startswith("Collective") and "Initialize" not in node.op
        for nodes in (graph.node, *functions)
        for node in nodes
    )


def main(worker: int, ports: str, net: str, rounds: int) -> None:
    """Joins the other workers, times all steps in turns, and prints."""
    addresses = [f"127.0.0.1:{port}" for port in ports.split(",")]
    task = {"type": "worker", "index": worker}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    steps, counts = {}, {}
    for name in COMPARED:
        steps[name], graph = train_step(strategy, net, name)
        counts[name] = collectives(graph)
    # All workers draw the same order, and each step waits for the others.
    print(json.dumps({"seconds": interleave(steps, rounds), "collectives": counts}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
