"""From the docstrings of keras_bin to reStructuredText: formulas, examples, links, signatures."""

import inspect
import re

from sphinx.util.inspect import stringify_signature


def mark_up(app, what, name, obj, options, lines):
    """Marks up what a docstring leaves to the eye."""
    text = "\n".join(lines)
    example = re.compile(r"^Example:\n((?:(?!>>>).+\n)*)(?=>>>)", re.MULTILINE)
    text = example.sub(r".. rubric:: Example\n\n\1\n", text)
    text = re.sub(r"\bdocs/([\w-]+)\.md\b", r":doc:`/\1`", text)
    lines[:] = _with_literal_blocks(text.split("\n"))


def _with_literal_blocks(lines):
    """Makes a literal block of each paragraph that is indented, and follows one that is not."""
    marked = []
    for line, previous in zip(lines, ["", "", *lines], strict=False):
        follows = marked and not marked[-1].strip() and previous.strip()
        if follows and _indent(line) >= _indent(previous) + 4 and not marked[-2].endswith("::"):
            if previous.endswith(":"):
                marked[-2] += ":"
            else:
                marked += ["::", ""]
        marked.append(line)
    return marked


def _indent(line):
    return len(line) - len(line.lstrip()) if line.strip() else 0


def true_signature(app, what, name, obj, options, signature, return_annotation):
    """Gives classes of Keras the signature of their constructor; it reads `(*args, **kwargs)`."""
    if what == "class" and signature == "(*args, **kwargs)":
        found = inspect.signature(obj.__init__)
        parameters = list(found.parameters.values())[1:]
        found = found.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
        return stringify_signature(found, show_annotation=False), None
    return None


def setup(app):
    """Runs before napoleon, which reads the sections of a docstring."""
    app.connect("autodoc-process-docstring", mark_up, priority=100)
    app.connect("autodoc-process-signature", true_signature)
    return {"parallel_read_safe": True}
