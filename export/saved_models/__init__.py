"""SavedModels: writing them for TensorFlow Serving, and reading them."""
