"""Putting files in their place whole, or not at all."""
