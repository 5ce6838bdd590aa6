"""Recognizing files by their contents, without reading them completely."""
