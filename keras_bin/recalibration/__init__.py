"""Recomputing moving statistics from data."""
