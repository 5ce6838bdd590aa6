"""What tests and benchmarks share: the layer in NumPy, weights, and a small net."""
