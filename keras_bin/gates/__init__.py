"""Gates: finding, summarizing, plotting and recording them."""
