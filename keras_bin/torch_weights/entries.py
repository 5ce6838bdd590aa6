"""The normalizations in a PyTorch state dict, as weights of BIN layers."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_WRAPPERS = ("module.", "_orig_mod.")  # of torch.nn.DataParallel and torch.compile

Array = NDArray[np.float64]


class ChannelWeights(NamedTuple):
    """The weights of a BIN layer, each of shape `(channels,)`."""

    gamma: Array
    beta: Array
    rho: Array
    moving_mean: Array
    moving_variance: Array


def normalizations(state_dict: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the entries of each normalization by their names below its prefix.

    A normalization is a module with running statistics or a gate. Branches that are modules,
    `bat_n` and `ins_n` of MetaBIN and `BN` beside `IN`, belong to the module that contains them.

    Args:
        state_dict: a state dict, or a checkpoint that holds one under "state_dict" or "model".

    Returns:
        The entries by prefix, without `num_batches_tracked`. Prefixes come without the `module.`
        or `_orig_mod.` that wrappers put before every key.

    Raises:
        TypeError: it does not map names to values.
    """
    state = _unwrapped(state_dict)
    modules = {key.rpartition(".")[0] for key in state}
    found: dict[str, dict[str, Any]] = {}
    for key, value in state.items():
        prefix, name = _place(key, modules)
        if not name.endswith("num_batches_tracked"):
            found.setdefault(prefix, {})[name] = value
    marks = {"gate", "running_mean", "running_var"}
    return {
        prefix: entries
        for prefix, entries in found.items()
        if marks & {name.rpartition(".")[2] for name in entries}
    }


def _unwrapped(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    for key in ("state_dict", "model"):
        if isinstance(state_dict, Mapping) and isinstance(state_dict.get(key), Mapping):
            state_dict = state_dict[key]
    if not isinstance(state_dict, Mapping) or not all(isinstance(key, str) for key in state_dict):
        raise TypeError(
            "`state_dict` must map names to arrays or tensors, as `module.state_dict()` and "
            "`torch.load(path, map_location='cpu')` do. "
            f"Received: state_dict of type {type(state_dict).__name__}"
        )
    state = dict(state_dict)
    for wrapper in _WRAPPERS * 2:  # either may be inside the other
        if all(key.startswith(wrapper) for key in state):
            state = {key.removeprefix(wrapper): value for key, value in state.items()}
    return state


def _place(key: str, modules: Collection[str]) -> tuple[str, str]:
    """Returns the prefix of the module that an entry belongs to, and its name below it."""
    module, _, name = key.rpartition(".")
    holder, _, branch = module.rpartition(".")
    beside = {"BN": "IN", "IN": "BN"}.get(branch)
    if branch in ("bat_n", "ins_n") or (beside and _key(holder, beside) in modules):
        return holder, f"{branch}.{name}"
    return module, name


def _key(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def channel_weights(prefix: str, entries: Mapping[str, Any], channels: int) -> ChannelWeights:
    """Computes the weights of the BIN layer that computes the same as a PyTorch normalization.

    The normalization has a batch branch `x_batch * w + b`, an instance branch
    `x_instance * v + c`, and a gate `g` between them. If `w` and `v` have the same sign, BIN with

        gamma = g * w + (1 - g) * v
        rho   = g * w / gamma
        beta  = g * b + (1 - g) * c

    computes the same. The authors' branches share scale and offset, so gamma = w, rho = g and
    beta = b; MetaBIN's have their own. If some channels take the batch branch and the rest the
    instance branch, `g` is 1 or 0. A missing gate is 1, missing scales are 1 and missing offsets 0.

    Args:
        prefix: prefix of the normalization, for messages.
        entries: its entries, as `normalizations` returns them.
        channels: number of channels of the layer.

    Returns:
        The weights; `moving_variance` is `running_var`, unbiased as in PyTorch.

    Raises:
        ValueError: an entry is unknown, missing, not finite, out of range or of a wrong shape, or
            the scales of the branches have opposite signs.
    """
    read = _Reader(prefix, entries)
    batch, instance = _branches(entries)
    beside = batch != instance and "gate" not in entries  # each channel has one branch
    on_batch = on_instance = np.ones(channels, bool)
    if beside:
        on_batch = np.arange(channels) < read.size(f"{batch}running_mean")
        on_batch = on_batch[::-1] if batch == "BN." else on_batch  # which comes after IN
        on_instance = ~on_batch
    gate = read(f"{batch}gate" if beside else "gate", on_batch, 1.0)
    mean, variance = (read(f"{batch}running_{each}", on_batch) for each in ("mean", "var"))
    scales = read(f"{batch}weight", on_batch, 1.0), read(f"{instance}weight", on_instance, 1.0)
    offsets = read(f"{batch}bias", on_batch, 0.0), read(f"{instance}bias", on_instance, 0.0)
    if beside:
        gate, variance = np.where(on_batch, gate, 0.0), np.where(on_batch, variance, 1.0)
        scales = (np.where(on_batch, *scales),) * 2
        offsets = (np.where(on_batch, *offsets),) * 2
    read.check_nothing_is_left()
    _check_gate(prefix, gate)
    if (variance < 0).any():
        raise ValueError(
            "Variances must not be negative; the checkpoint is damaged. Received: "
            f"{_key(prefix, f'{batch}running_var')} with a minimum of {variance.min()}"
        )
    gamma, rho = _common_scale(prefix, gate, *scales)
    return ChannelWeights(gamma, _mixed(gate, *offsets), rho, mean, variance)


def _branches(entries: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the prefixes of the two branches' entries."""
    for batch, instance in (("bat_n.", "ins_n."), ("BN.", "IN.")):
        if any(name.startswith((batch, instance)) for name in entries):
            return batch, instance
    return "", ""


class _Reader:
    """Reads the entries of one normalization as float64 arrays of shape `(channels,)`."""

    def __init__(self, prefix: str, entries: Mapping[str, Any]):
        self.prefix = prefix
        self.entries = entries
        self.read: set[str] = set()

    def __call__(
        self, name: str, channels: NDArray[np.bool_], default: float | None = None
    ) -> Array:
        """Returns an entry that holds values for some channels, with the default in the others.

        Without a default, the entry must exist.
        """
        values = np.full(channels.shape, 0.0 if default is None else default)
        if name in self.entries or default is None:
            values[channels] = self._values(name, int(channels.sum()))
        return values

    def size(self, name: str) -> int:
        """Returns the number of values in an entry."""
        return self._array(name).size

    def _values(self, name: str, size: int) -> Array:
        array = self._array(name)
        if array.size != size:
            raise ValueError(
                "An entry must hold one value per channel; check that the layer has as many "
                f"channels as the PyTorch module. Received: {_key(self.prefix, name)} of shape "
                f"{array.shape} for {size} channels"
            )
        if not np.isfinite(array).all():
            raise ValueError(
                "Entries must be finite; the checkpoint is from training that diverged. "
                f"Received: {_key(self.prefix, name)} with "
                f"{np.count_nonzero(~np.isfinite(array))} of {size} values not finite"
            )
        return array.reshape(-1)

    def _array(self, name: str) -> Array:
        key = _key(self.prefix, name)
        if name not in self.entries:
            raise ValueError(
                f"A normalization needs `{name}`; one without running statistics uses those of "
                "the batch at inference too, which no Keras layer does. "
                f"Received: {self.prefix or 'the state dict'} with {', '.join(self.entries)}"
            )
        self.read.add(name)
        value = self.entries[name]
        try:
            if hasattr(value, "detach"):
                value = value.detach().cpu()
                # NumPy has no bfloat16, and float64 holds every value of the others.
                value = value.double() if value.is_floating_point() else value
            array = np.asarray(value)
            if array.dtype.kind in "bcOSU":
                raise TypeError(f"{array.dtype} holds no real numbers")
            return array.astype(np.float64)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(
                "Entries must be tensors or arrays of real numbers. "
                f"Received: {key} of type {type(value).__name__} ({error})"
            ) from error

    def check_nothing_is_left(self) -> None:
        """Rejects entries that were not read."""
        left = sorted(self.entries.keys() - self.read)
        if left:
            raise ValueError(
                "These entries belong to a normalization other than batch normalization, BIN or "
                "MetaBIN; leave it out with `names`, as in names={'bn1': None}. "
                f"Received: {', '.join(_key(self.prefix, name) for name in left)}"
            )


def _check_gate(prefix: str, gate: Array) -> None:
    outside = np.count_nonzero((gate < 0) | (gate > 1))
    if outside:
        raise ValueError(
            "Gates must be in [0, 1], as training in the paper clips them; clip those of the "
            "state dict, with `gate.clamp_(0, 1)`, if that is what you want. Received: "
            f"{_key(prefix, 'gate')} from {gate.min()} to {gate.max()}, {outside} outside"
        )


def _common_scale(prefix: str, gate: Array, batch: Array, instance: Array) -> tuple[Array, Array]:
    """Returns gamma and rho for two branches that have their own scales."""
    share, rest = gate * batch, (1 - gate) * instance
    opposite = np.flatnonzero(share * rest < 0)
    if opposite.size:
        raise ValueError(
            "A BIN layer has one gamma for both branches, so their scales must have the same sign "
            "in each channel; leave the layer out with `names`, as in names={'bn1': None}, or set "
            "the smaller one to 0 in the state dict. Received: opposite signs in "
            f"{prefix or 'the state dict'}, channels {opposite.tolist()}"
        )
    gamma = _mixed(gate, batch, instance)
    settled = (batch == instance) | (gamma == 0)
    return gamma, np.where(settled, gate, share / np.where(settled, 1.0, gamma))


def _mixed(gate: Array, batch: Array, instance: Array) -> Array:
    """Mixes values of both branches; equal ones stay exactly as they are."""
    return np.where(batch == instance, batch, gate * batch + (1 - gate) * instance)
