"""Runs the command line as `python -m keras_bin`."""

import sys

from keras_bin.cli import main

sys.exit(main())
