"""The mathematics of the layer: statistics, the map, its gradient, and moving statistics."""
