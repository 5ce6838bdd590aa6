"""A Keras model as the exporter sees it: its graph, its signature, its gates."""
