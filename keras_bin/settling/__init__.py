"""Gates that settle: layers that end wholly as batch or as instance normalization."""
