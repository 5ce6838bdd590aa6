"""Runs the command line as `python -m keras_bin_cli`."""

from keras_bin_cli import run

run()
