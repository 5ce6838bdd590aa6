"""What the examples share: pictures, normalizations, nets, training, and reports over seeds."""
