"""Networks that others wrote, converted from batch normalization to BIN and back."""
