"""Tests of gates that settle."""
