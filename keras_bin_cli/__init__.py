"""The command line: `keras-bin COMMAND`, also as `python -m keras_bin_cli COMMAND`.

Help and errors in the arguments appear at once: nothing outside `keras_bin_cli.work` imports
Keras, NumPy, rich or the library, which take seconds to start.
"""

import sys


def run() -> None:
    """Runs the command line as its own process, and ends it."""
    from keras_bin_cli.process import Process

    process = Process(json="--json" in sys.argv)  # first, as Ctrl-C may come at any time
    from keras_bin_cli.program import main

    code = main(process=process)
    process.end()
    sys.exit(code)
