"""Folding: what becomes of normalization layers at inference."""
