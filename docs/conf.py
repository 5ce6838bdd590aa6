"""How Sphinx builds the documentation: `python -m sphinx docs site`."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
sys.path.insert(0, str(Path(__file__).with_name("_extensions")))

import keras_bin

project = "keras-bin"
author = "The keras-bin authors"
project_copyright = "2026, the keras-bin authors"
version = release = keras_bin.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "command_help",
    "docstrings",
    "mathml",
]
nitpicky = True
nitpick_ignore = [("py:class", "pathlib.Path")]

html_theme = "furo"
html_title = f"keras-bin {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["search.js"]
html_favicon = "_static/icon.svg"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # a test executes the notebook; its outputs are committed
copybutton_exclude = ".linenos, .gp, .go"

default_role = "code"  # docstrings mark code with single backticks, as Keras's do
toc_object_entries = False  # each public name has a heading
autodoc_typehints = "none"  # a signature shows defaults; `Args` says what is meant
napoleon_custom_sections = [("Call arguments", "params_style")]
napoleon_use_ivar = True
