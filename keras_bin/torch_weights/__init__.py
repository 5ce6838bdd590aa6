"""Weights of PyTorch's normalization layers in Keras layers."""
