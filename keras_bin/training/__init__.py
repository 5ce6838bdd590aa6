"""Training: the model, its train step, loops of one's own, and what they do to rho."""
