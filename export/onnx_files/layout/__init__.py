"""The layout of an ONNX graph: the order of the axes of its tensors, and where it changes.

A view of a tensor has the same elements, but its axes in another order, or axes of size 1 added or
dropped: what Transpose, Squeeze and Unsqueeze make. A region is a group of operators that work in
any order of axes; all its tensors change to another layout together.
"""
