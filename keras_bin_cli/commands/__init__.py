"""The commands: their arguments and options, and what is checked of them before any work."""
