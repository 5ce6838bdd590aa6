"""What can go wrong with an exported artifact that was written but is not right."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .verification import Verification


class VerificationError(ValueError):
    """An artifact differs from the model that it was exported from.

    Attributes:
        differences: one line per difference, each with its figures.
        verification: the `Verification` of all outputs where values were compared, else None.
    """

    def __init__(
        self, rule: str, differences: list[str], verification: "Verification | None" = None
    ):
        super().__init__(rule, differences)
        self.differences = tuple(differences)
        self.verification = verification

    def __str__(self) -> str:
        return "\n  ".join([self.args[0], *self.differences])


class NamesError(VerificationError):
    """Inputs or outputs of the artifact are called otherwise than the model's."""


class ShapeError(VerificationError):
    """An input or output of the artifact has another shape than the model's."""


class DtypeError(VerificationError):
    """An input or output of the artifact has another dtype than the model's."""


class ValuesError(VerificationError):
    """An output of the artifact differs by more than the tolerance, or is not finite."""


class OperatorError(VerificationError):
    """The artifact needs operators that a stock runtime does not have."""
