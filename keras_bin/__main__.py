"""Runs the command line as `python -m keras_bin`; the library itself does not depend on it."""

import runpy

runpy.run_module("keras_bin_cli", run_name="__main__")
