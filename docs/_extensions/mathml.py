"""Formulas as MathML, which browsers show without a script from elsewhere."""

from docutils.nodes import SkipNode
from docutils.utils.math.latex2mathml import tex2mathml


def visit_math(translator, node):
    """Writes a formula inside a line."""
    translator.body.append(tex2mathml(node.astext()))
    raise SkipNode


def visit_math_block(translator, node):
    """Writes a formula of its own; a wide one scrolls."""
    formula = tex2mathml(node.astext(), as_block=True)
    translator.body.append(f'<div class="math">{formula}</div>\n')
    raise SkipNode


def setup(app):
    """Registers the renderer."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True}
