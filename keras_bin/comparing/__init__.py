"""Comparing a copy of a model with its original."""
