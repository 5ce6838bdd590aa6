"""Weights of PyTorch's normalizations in Keras layers."""
