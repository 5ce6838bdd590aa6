"""Quantizing ONNX files to int8, with statistics of samples kept in float."""
