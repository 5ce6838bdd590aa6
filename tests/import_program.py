"""Prints which of some modules a statement imports; run by test_import.py."""

import sys

import keras  # noqa: F401


def main(statement, *modules):
    # Keras imports matplotlib by itself where it is installed, so that is forgotten first.
    for name in list(sys.modules):
        if name.split(".")[0] in modules:
            del sys.modules[name]
    exec(statement)
    print([name for name in modules if name in sys.modules])


if __name__ == "__main__":
    main(*sys.argv[1:])
