"""Tracing a model to a graph whose weights are constants, and working on that graph."""
