"""Third-party networks, and what becomes of them when they are exported."""
