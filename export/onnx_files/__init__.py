"""ONNX files: writing and reading them."""
