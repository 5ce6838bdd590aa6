"""Comparing what was written with the Keras model."""
