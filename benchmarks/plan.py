"""How much is measured: all of it, or a little of everything."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ExportPlan:
    """How the exports of one net are timed.

    Attributes:
        net: a name in `benchmarks.nets.NETS`.
        size: height and width of its images.
        rounds: how often each artifact is timed, by the number of images in a call.
        gates: names in `benchmarks.artifacts.GATES`.
    """

    net: str
    size: int
    rounds: dict[int, int]
    gates: tuple[str, ...] = ("paper",)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the sections measure, and how often.

    Attributes:
        shapes: inputs of one layer, channels last.
        rounds: rounds of the sections that time one layer at these shapes.
        samples: batch sizes of inputs of shape `(batch, 32, 32, 64)`, for `scaling`.
        scaling_rounds: rounds of `scaling`.
        added_mebibytes: size of the tensor that `floor` adds.
        nets: names in `benchmarks.nets.NETS`.
        xla_nets: those of them that `step` also compiles with XLA.
        step_rounds: rounds of `step`.
        repeats: fresh processes for each net and normalization.
        exports: what `export` measures.
        export_threads: threads of the runtimes in `export`.
        accuracy_shapes: inputs of `accuracy`.
        means: means of these inputs.
        deviations: standard deviations of these inputs.
        answer_rounds: rounds of `answers`.
    """

    shapes: tuple[tuple[int, int, int, int], ...]
    rounds: int
    samples: tuple[int, ...]
    scaling_rounds: int
    added_mebibytes: int
    nets: tuple[str, ...]
    xla_nets: tuple[str, ...]
    step_rounds: int
    repeats: int
    exports: tuple[ExportPlan, ...]
    export_threads: int
    accuracy_shapes: tuple[tuple[int, int, int, int], ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    answer_rounds: int


FULL = Plan(
    shapes=(
        (32, 56, 56, 64),
        (128, 32, 32, 16),
        (64, 16, 16, 32),
        (16, 28, 28, 256),
        (32, 7, 7, 512),
    ),
    rounds=40,
    samples=(16, 64, 256, 1024),
    scaling_rounds=11,
    added_mebibytes=256,
    nets=("ResNet-20", "ResNet-50"),
    xla_nets=("ResNet-20",),
    step_rounds=15,
    repeats=3,
    exports=(
        ExportPlan("ResNet-20", 32, {1: 400, 32: 60}, ("paper", "free", "front")),
        ExportPlan("ResNet-50", 224, {1: 40, 8: 15}),
    ),
    export_threads=2,
    accuracy_shapes=((4, 6, 6, 4), (8, 28, 28, 16), (4, 112, 112, 3), (2, 512, 512, 3)),
    means=(0.0, 300.0, 1000.0),
    deviations=(1.0, 1e-2),
    answer_rounds=21,
)

QUICK = Plan(
    shapes=((4, 8, 8, 16), (2, 7, 7, 32)),
    rounds=3,
    samples=(1, 2),
    scaling_rounds=3,
    added_mebibytes=16,
    nets=("ResNet-8",),
    xla_nets=("ResNet-8",),
    step_rounds=2,
    repeats=1,
    exports=(ExportPlan("ResNet-8", 32, {1: 5, 4: 5}),),
    export_threads=2,
    accuracy_shapes=((4, 6, 6, 4),),
    means=(0.0, 300.0),
    deviations=(1.0,),
    answer_rounds=1,
)


def shape_name(shape: tuple[int, ...]) -> str:
    """Returns the shape as tables show it, such as `32x56x56x64`."""
    return "x".join(map(str, shape))
