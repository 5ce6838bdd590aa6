"""Recognizing files by what is in them, without reading them whole."""
