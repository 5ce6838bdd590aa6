"""Keras models of any kind: their graphs, names and copies."""
