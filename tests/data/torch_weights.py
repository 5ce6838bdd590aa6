"""Trains a small PyTorch net with every normalization that keras_bin loads, and stores it.

The layers are written from the papers' formulas, with the names of entries that the authors'
implementation and MetaBIN use. Run it with PyTorch installed: python tests/data/torch_weights.py
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn


class BatchInstanceNorm(nn.Module):
    """BIN with one scale and offset for both branches, as by its authors."""

    def __init__(self, channels, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gate = nn.Parameter(torch.ones(channels))
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            count = x.numel() / x.shape[1]
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * count / (count - 1), self.momentum)
                self.num_batches_tracked += 1
        mean, var, gate, weight, bias = (
            each[:, None, None] for each in (mean, var, self.gate, self.weight, self.bias)
        )
        own_var, own_mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        batch = (x - mean) / torch.sqrt(var + self.eps)
        instance = (x - own_mean) / torch.sqrt(own_var + self.eps)
        return (gate * batch + (1 - gate) * instance) * weight + bias


class OwnScales(nn.Module):
    """A gate between two normalizations, each with its scale and offset, as in MetaBIN."""

    def __init__(self, channels):
        super().__init__()
        self.bat_n = nn.BatchNorm2d(channels)
        self.ins_n = nn.InstanceNorm2d(channels, affine=True)
        self.gate = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        gate = self.gate[:, None, None]
        return gate * self.bat_n(x) + (1 - gate) * self.ins_n(x)


class BatchThenInstance(nn.Module):
    """Batch beside instance normalization, as in MetaBIN."""

    def __init__(self, channels):
        super().__init__()
        self.half = (channels + 1) // 2
        self.bat_n = nn.BatchNorm2d(self.half)
        self.ins_n = nn.InstanceNorm2d(channels - self.half, affine=True)

    def forward(self, x):
        return torch.cat([self.bat_n(x[:, : self.half]), self.ins_n(x[:, self.half :])], 1)


class InstanceThenBatch(nn.Module):
    """Instance beside batch normalization, as in IBN-Net."""

    def __init__(self, channels):
        super().__init__()
        self.half = channels // 2
        self.IN = nn.InstanceNorm2d(self.half, affine=True)
        self.BN = nn.BatchNorm2d(channels - self.half)

    def forward(self, x):
        return torch.cat([self.IN(x[:, : self.half]), self.BN(x[:, self.half :])], 1)


class Block(nn.Module):
    def __init__(self, channels, normalization):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = normalization(channels)

    def forward(self, x):
        return torch.relu(self.bn1(self.conv1(x)))


class Net(nn.Module):
    def __init__(self, channels=5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.bn1 = BatchInstanceNorm(channels)
        self.layer1 = nn.Sequential(Block(channels, OwnScales), Block(channels, BatchThenInstance))
        self.layer2 = nn.Sequential(Block(channels, InstanceThenBatch))
        self.neck = nn.BatchNorm1d(channels)
        self.fc = nn.Linear(channels, 3)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(self.neck(x.mean((2, 3))))


def main():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    net = nn.DataParallel(Net())
    with torch.no_grad():  # away from 1 and 0, where a mistake would not show
        for name, parameter in net.named_parameters():
            if name.endswith("gate"):
                parameter.uniform_(0.2, 1.0)
            elif parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    gates = [each for name, each in net.named_parameters() if name.endswith("gate")]
    others = [each for name, each in net.named_parameters() if not name.endswith("gate")]
    optimizer = torch.optim.SGD([{"params": others}, {"params": gates, "lr": 0.5}], lr=0.05)
    for _ in range(20):
        x = 2 + torch.randn(4, 3, 6, 5) * torch.rand(4, 3, 1, 1)
        loss = nn.functional.cross_entropy(net(x), torch.randint(3, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for gate in gates:
            gate.data.clamp_(0, 1)
    state = {f"state/{key}": value.numpy().copy() for key, value in net.state_dict().items()}
    with torch.no_grad():
        inference = net.eval()(x).numpy()
        training = net.train()(x).numpy()
    np.savez_compressed(
        Path(__file__).with_suffix(".npz"),
        x=x.numpy(),
        inference=inference,
        training=training,
        **state,
    )


if __name__ == "__main__":
    main()
