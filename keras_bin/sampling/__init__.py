"""Inputs for comparing a model with its copies and artifacts."""
