"""Quantizing ONNX files to int8, statistics of samples kept in float."""
