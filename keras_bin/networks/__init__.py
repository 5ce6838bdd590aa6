"""Keras models of any kind: their graphs, names, copies, and comparisons of these."""
