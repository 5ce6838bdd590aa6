"""Nets that nobody wrote, and what becomes of them when they are exported."""
