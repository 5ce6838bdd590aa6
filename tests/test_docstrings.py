"""The examples in docstrings run, and print what they say; every public name has one."""

import doctest
import importlib

import pytest

import keras_bin
import keras_bin.export
from tests import structure

PUBLIC = [
    getattr(package, name) for package in (keras_bin, keras_bin.export) for name in package.__all__
]


def full_name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def importable_modules():
    """Yields the modules, without those of a backend that is not installed."""
    for name in structure.modules():
        if name.endswith("__main__"):  # which runs the command line when it is imported
            continue
        try:
            yield importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in ("jax", "torch"):
                raise


def examples():
    """Returns the docstrings with examples of all modules, by the names of what they document."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return {
        test.name: test
        for module in importable_modules()
        for test in finder.find(module)
        if test.examples
    }


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_prints_what_it_says(name):
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(EXAMPLES[name], out=report.append)
    assert runner.failures == 0, "".join(report)
    assert runner.tries == len(EXAMPLES[name].examples)


@pytest.mark.parametrize("thing", PUBLIC, ids=full_name)
def test_public_name_has_an_example(thing):
    assert full_name(thing) in EXAMPLES
