"""Measurements of keras-bin beside its peers."""
