"""From batch normalization to BIN, and back."""
