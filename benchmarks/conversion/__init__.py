"""Third-party networks, converted from batch normalization to BIN and back."""
