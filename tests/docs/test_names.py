"""Every public name, argument, command and option is shown in use on a page of docs/."""

import ast
import functools
import importlib
import inspect
import pkgutil
import re

import keras
import pytest

import keras_bin
import keras_bin.export
import keras_bin_cli.commands
from tests.docs import pages

PACKAGES = {"keras_bin": keras_bin, "keras_bin.export": keras_bin.export}
PUBLIC = {name: getattr(package, name) for package in PACKAGES.values() for name in package.__all__}
OF_BATCH_NORMALIZATION = inspect.signature(keras.layers.BatchNormalization.__init__).parameters
# Arguments that a user does not write: `fold` makes this layer.
MADE_BY_OTHERS = {"FoldedBatchInstanceNormalization"}
OF_ALL_COMMANDS = {"--import", "--unsafe", "--json", "--quiet", "--debug"}


@functools.cache
def text():
    """Returns the text of all pages but those of the API, which are made of docstrings."""
    return "\n".join(page.read_text(encoding="utf-8") for page in pages.GUIDES)


@functools.cache
def used():
    """Returns what code on the pages uses: names, attributes, and keywords with their function."""
    code = [text for page in pages.GUIDES for _, text in pages.blocks(page, "python", "py")]
    nodes = [node for each in code for node in ast.walk(ast.parse(each))]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    keywords = {
        (getattr(node.func, "attr", getattr(node.func, "id", "")), keyword.arg)
        for node in nodes
        if isinstance(node, ast.Call)
        for keyword in node.keywords
    }
    return names, attributes, keywords


def is_result(thing):
    return hasattr(thing, "_fields") or hasattr(thing, "__dataclass_fields__")


def is_error(thing):
    return inspect.isclass(thing) and issubclass(thing, BaseException)


def own_members(thing):
    """Returns the public fields, properties and methods of a class that its bases do not have."""
    members = set(vars(thing)) | set(getattr(thing, "__dataclass_fields__", ()))
    of_bases = {name for base in thing.__mro__[1:] for name in vars(base)}
    # `of` makes results inside the library.
    return sorted(name for name in members - of_bases if not name.startswith("_") and name != "of")


def classes():
    return {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}


def optional_arguments():
    """Returns the arguments of public functions and classes that have defaults."""
    found = []
    for name, thing in PUBLIC.items():
        if name in MADE_BY_OTHERS or is_result(thing) or is_error(thing):
            continue
        called = thing.__init__ if inspect.isclass(thing) else thing
        of_others = OF_BATCH_NORMALIZATION if name == "BatchInstanceNormalization" else ()
        for argument in inspect.signature(called).parameters.values():
            if argument.default is not argument.empty and argument.name not in of_others:
                found.append((name, argument.name))
    return found


def options():
    """Returns the options of each command."""
    found = []
    for module in pkgutil.iter_modules(keras_bin_cli.commands.__path__):
        file = importlib.import_module(f"keras_bin_cli.commands.{module.name}")
        command = getattr(file, module.name)()
        names = [option for each in command.params for option in each.opts if "-" in option]
        found += [(command.name, option) for option in names]
    return found


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_in_use_on_a_page(name):
    names, attributes, _ = used()
    thing = PUBLIC[name]
    assert re.search(rf"\b{name}\b", text())
    if is_result(thing):
        assert set(own_members(thing)) & attributes
    elif is_error(thing) and issubclass(thing, keras_bin.export.VerificationError):
        assert "VerificationError" in names
    else:
        assert name in names | attributes


@pytest.mark.parametrize(
    ("name", "member"),
    [(name, member) for name, thing in classes().items() for member in own_members(thing)],
)
def test_member_is_in_use_on_a_page(name, member):
    _, attributes, keywords = used()
    assert member in attributes or (name, member) in keywords


@pytest.mark.parametrize(("name", "argument"), optional_arguments())
def test_argument_is_in_use_on_a_page(name, argument):
    _, _, keywords = used()
    assert (name, argument) in keywords


@pytest.mark.parametrize(("command", "option"), options())
def test_option_is_in_use_on_a_page(command, option):
    shown = {
        word
        for page in pages.GUIDES
        for _, block in pages.blocks(page, "shell", "sh")
        for words in pages.commands(block)
        if words[0] == "keras-bin" and (words[1] == command or option in OF_ALL_COMMANDS)
        for word in words
    }
    assert option in shown


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_and_command_has_its_place_in_the_api(package):
    api = "\n".join(page.read_text(encoding="utf-8") for page in pages.API)
    listed = re.findall(rf"^\.\. auto\w+:: {re.escape(package)}\.(\w+)$", api, re.MULTILINE)
    assert sorted(listed) == sorted(PACKAGES[package].__all__)
    commands = {command for command, _ in options()}
    assert set(re.findall(r"^```{command-help} (\S+)$", api, re.MULTILINE)) == commands
