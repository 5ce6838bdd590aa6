"""Settling: all gates of a layer are fixed at one value, such as 1 for batch normalization."""
