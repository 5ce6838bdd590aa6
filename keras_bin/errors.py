"""The error for arguments that do not fit a model."""


class ArgumentError(ValueError):
    """An argument does not fit the model it is passed with, such as samples for other inputs."""
