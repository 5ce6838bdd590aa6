"""The work of the commands; the function `run(options, output)` of each module does it."""
