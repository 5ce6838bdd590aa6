"""How far gates are settled."""

import math
from typing import Any, NamedTuple

from keras_bin.settling.checks import is_number

MAX_COST = 0.1


class Goal(NamedTuple):
    """How far layers are settled.

    Attributes:
        max_cost: what the layers that are not settled at 1 may cost, from 0 to 1.
        at_least_one: whether the layer that is worth most for its cost may cost more.
        max_increase: a layer that alone raises the loss by more than this share of it is never
            settled at 1.
        free_increase: a layer that raises it by no more than this share is always settled at 1.
        keep: value at which the gates of the layers that stay are settled in the last round, from
            0 to 1, or None if they keep learning.
    """

    max_cost: float
    at_least_one: bool
    max_increase: float
    free_increase: float
    keep: float | None

    def in_rounds(self, number: int) -> "list[Goal]":
        """Returns the goals of a number of rounds: the allowed cost falls in equal steps.

        All but the last settle no more than they must.
        """
        return [
            self._replace(
                max_cost=1 - (1 - self.max_cost) * done / number,
                free_increase=self.free_increase if done == number else -math.inf,
            )
            for done in range(1, number + 1)
        ]


def make_goal(max_cost: Any, max_increase: Any, free_increase: Any, keep: Any) -> Goal:
    """Makes a goal from the arguments of `keras_bin.SettleRho`.

    Raises:
        ValueError: an argument is out of its range.
    """
    if max_cost is not None and not (is_number(max_cost) and 0 <= max_cost <= 1):
        raise ValueError(
            "`max_cost` must be a share of what all BIN layers cost, from 0 (none is left) to 1, "
            "or None for the default. "
            f"Received: max_cost={max_cost!r}"
        )
    if not (is_number(max_increase) and max_increase >= 0):
        raise ValueError(
            "`max_increase` must be a share of the loss, 0 or more. "
            f"Received: max_increase={max_increase!r}"
        )
    if not (is_number(free_increase) and 0 <= free_increase < math.inf):
        raise ValueError(
            "`free_increase` must be a share of the loss, finite and 0 or more. "
            f"Received: free_increase={free_increase!r}"
        )
    if keep is not None and not (is_number(keep) and 0 <= keep <= 1):
        raise ValueError(
            "`keep` must be a value of rho in [0, 1], or None to let gates keep learning. "
            f"Received: keep={keep!r}"
        )
    return Goal(
        MAX_COST if max_cost is None else max_cost,
        max_cost is None,
        max_increase,
        free_increase,
        keep,
    )
