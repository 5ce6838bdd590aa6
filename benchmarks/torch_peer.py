"""BIN in PyTorch, composed as the authors compose it."""

import os

import numpy as np
import torch
from torch.nn import functional

NAME = "official BIN in PyTorch"
MOMENTUM = 0.01  # the share of the new statistics, in PyTorch
EPSILON = 1e-3


class TorchBIN:
    """BIN in training, channels first, on one device.

    Batch normalization with `gamma * rho` and `beta`, plus a second one, over batch times
    channels, with `gamma * (1 - rho)`.

    Args:
        gamma: learned scale; it, `beta` and `rho` have shape `(channels,)`.
        beta: learned offset.
        rho: gate, in [0, 1].
        device: a name that PyTorch knows, such as `cpu`. On the CPU all cores are used.
    """

    def __init__(self, gamma: np.ndarray, beta: np.ndarray, rho: np.ndarray, device: str):
        torch.set_num_threads(os.cpu_count())
        self.device = device
        self.weights = [
            torch.tensor(w, dtype=torch.float32, device=device, requires_grad=True)
            for w in (gamma, beta, rho)
        ]
        self.moving_mean = torch.zeros(len(gamma), device=device)
        self.moving_variance = torch.ones(len(gamma), device=device)

    def tensor(self, array: np.ndarray) -> torch.Tensor:
        """Returns a channels-last array as a channels-first tensor on the device."""
        moved = np.ascontiguousarray(np.moveaxis(array, -1, 1), np.float32)
        return torch.tensor(moved, device=self.device)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalizes `x` with the statistics of the batch, and updates the moving ones."""
        gamma, beta, rho = self.weights
        batch = functional.batch_norm(
            x,
            self.moving_mean,
            self.moving_variance,
            gamma * rho,
            beta,
            True,
            MOMENTUM,
            EPSILON,
        )
        instance = functional.batch_norm(
            x.view(1, -1, *x.shape[2:]),
            None,
            None,
            (gamma * (1 - rho)).repeat(len(x)),
            None,
            True,
            MOMENTUM,
            EPSILON,
        )
        return batch + instance.view_as(x)

    def __call__(self, x: torch.Tensor, dy: torch.Tensor) -> list[torch.Tensor]:
        """Returns y, and the gradients of `sum(y * dy)` with respect to x, gamma, beta and rho."""
        x = x.detach().requires_grad_()
        y = self.forward(x)
        return [y.detach(), *torch.autograd.grad(y, [x, *self.weights], dy)]


def training_call(x: np.ndarray, dy: np.ndarray, device: str):
    """Returns a function that runs TorchBIN forward and backward and waits for the device.

    Args:
        x: input, channels last; rho goes evenly from 0 to 1 over the channels.
        dy: gradient with respect to the output.
        device: `cpu` or `cuda`.
    """
    channels = x.shape[-1]
    layer = TorchBIN(np.ones(channels), np.zeros(channels), np.linspace(0, 1, channels), device)
    inputs = layer.tensor(x), layer.tensor(dy)

    def call():
        layer(*inputs)
        if device == "cuda":
            torch.cuda.synchronize()

    return call
