"""Networks that others wrote, and what becomes of them when they are exported."""
