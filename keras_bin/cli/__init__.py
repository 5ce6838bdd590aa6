"""The command line: `keras-bin COMMAND`, also as `python -m keras_bin COMMAND`."""

from keras_bin.cli.program import main

__all__ = ["main"]
