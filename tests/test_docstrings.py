"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import keras_bin


def modules():
    """Names every module of the package; the command line runs when imported as `__main__`."""
    export = importlib.import_module("keras_bin.export")
    for package in (keras_bin, export):
        yield package.__name__
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not info.ispkg and not info.name.endswith("__main__"):
                yield info.name


def examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    tests = {}
    for name in modules():
        for test in finder.find(importlib.import_module(name)):
            if test.examples:
                tests[test.name] = test
    return list(tests.values())


EXAMPLES = examples()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_prints_what_it_says(example):
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
    assert runner.tries == len(example.examples)
