"""Gates: finding, summing up, drawing and recording them."""
