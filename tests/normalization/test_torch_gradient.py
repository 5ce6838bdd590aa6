"""The custom gradient in PyTorch."""

import gc
import weakref

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch_gradient = pytest.importorskip("keras_bin.normalization.torch_gradient")


def forward(x, scale):
    """Returns the cubes of `x` and their mean, and what their gradient needs."""
    squares = x * x
    mean = (squares * x).mean()
    return (scale * squares * x, mean), (squares, scale, mean)


def gradients(x, results, dcubes, dmean):
    """Returns the gradients by `x` and by the scale."""
    squares, scale, _ = results
    dx = 3 * squares * (dcubes * scale + dmean / x.numel())
    return dx, (dcubes * squares * x).sum()


def loss(x, scale, function):
    """Returns a number that depends on both outputs."""
    cubes, mean = function(x, scale)
    return (torch.sin(cubes)).sum() + 5 * mean**2


def recorded(x, scale):
    """Does the same with what PyTorch records."""
    return forward(x, scale)[0]


def custom(x, scale):
    """Does the same with the gradient above."""
    return torch_gradient.with_gradient(forward, gradients, [x, scale])


def draw():
    """Returns an input and a scale."""
    x = torch.tensor(np.random.default_rng(0).normal(size=5), requires_grad=True)
    return x, torch.tensor(0.7, dtype=x.dtype, requires_grad=True)


def test_first_and_second_derivatives_are_those_that_pytorch_records():
    found = []
    for function in (custom, recorded):
        inputs = draw()
        first = torch.autograd.grad(loss(*inputs, function), inputs, create_graph=True)
        penalty = sum((each**2).sum() for each in first)
        found.append([*first, *torch.autograd.grad(penalty, inputs)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours.detach(), theirs.detach(), rtol=1e-12, atol=1e-12)


def test_operations_are_not_recorded():
    outputs = custom(*draw())
    assert len({output.grad_fn for output in outputs}) == 1
    assert {each.name() for each, _ in outputs[0].grad_fn.next_functions if each} == {
        "torch::autograd::AccumulateGrad"
    }


def test_results_are_freed_without_the_garbage_collector():
    kept = []

    def noted(x, scale):
        outputs, results = forward(x, scale)
        kept[:] = [weakref.ref(each) for each in (*outputs, results[0])]
        return outputs, results

    gc.collect()
    gc.disable()
    try:
        outputs = torch_gradient.with_gradient(noted, gradients, [*draw()])
        assert outputs[0].requires_grad
        del outputs
        assert [reference() for reference in kept] == [None] * 3
    finally:
        gc.enable()
