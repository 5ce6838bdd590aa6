"""Generated nets, and what becomes of them when they are exported."""
