"""Conversion of TensorFlow operators that tf2onnx converts incorrectly, badly or not at all."""
