"""The layout of an ONNX graph: in which order its tensors have their axes, and where that changes.

A view of a tensor has the same elements, but its axes in another order, or axes of size 1 more or
less: what Transpose, Squeeze and Unsqueeze make. A region is a group of operators that work in any
order of axes; all its tensors change to another layout together.
"""
