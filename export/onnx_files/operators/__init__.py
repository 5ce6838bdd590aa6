"""Conversion of operators of TensorFlow that tf2onnx converts wrongly, badly or not at all."""
