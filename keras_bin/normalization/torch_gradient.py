"""A custom gradient in PyTorch, for functions of several outputs, with second derivatives."""

from collections.abc import Callable
from typing import Any

import torch


def with_gradient(
    forward: Callable[..., Any], gradients: Callable[..., Any], inputs: list[Any]
) -> tuple[Any, ...]:
    """Calls a function without recording its operations, because its gradient is known.

    Keras's custom gradients in PyTorch have one output and no second derivatives.

    Args:
        forward: takes `inputs`; returns a tuple of tensors, and other results.
        gradients: takes the first input, the other results, and the gradients of the tensors;
            returns those of the inputs.
        inputs: tensors.
    """
    outputs: tuple[Any, ...] = _Differentiated.apply(forward, gradients, *inputs)
    return outputs


class _Differentiated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, forward: Any, gradients: Any, *inputs: Any) -> Any:
        outputs, results = forward(*inputs)
        ctx.save_for_backward(*inputs)
        ctx.others = forward, gradients, results
        # `results` may hold outputs, which will hold `ctx`; PyTorch would never free such a cycle.
        return tuple(output.detach() for output in outputs)

    @staticmethod
    def backward(ctx: Any, *upstream: Any) -> Any:
        inputs = ctx.saved_tensors
        forward, gradients, results = ctx.others
        if torch.is_grad_enabled():
            # Second derivatives depend on how the results follow from the inputs.
            _, results = forward(*inputs)
        return None, None, *gradients(inputs[0], results, *upstream)
