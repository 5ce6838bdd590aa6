"""The directive `command-help`: what `keras-bin COMMAND --help` prints."""

import subprocess
import sys

from docutils import nodes
from docutils.parsers.rst import Directive


class CommandHelp(Directive):
    """Shows the help of one command as a literal block."""

    required_arguments = 1

    def run(self):
        """Runs the command, and returns the block."""
        words = [sys.executable, "-m", "keras_bin_cli", *self.arguments, "--help"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return [nodes.literal_block(done.stdout, done.stdout, language="text")]


def setup(app):
    """Registers the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
