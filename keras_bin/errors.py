"""The error of arguments that do not suit a model."""


class ArgumentError(ValueError):
    """An argument is wrong for the model beside it, such as samples of other inputs."""
