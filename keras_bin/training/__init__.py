"""Training: the model, its train step, custom training loops, and what they do to rho."""
