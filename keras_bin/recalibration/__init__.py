"""Moving statistics anew from data."""
