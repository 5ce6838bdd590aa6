"""Inputs on which a model and what was made of it are compared."""
