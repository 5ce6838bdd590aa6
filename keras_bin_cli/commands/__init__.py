"""The commands: their arguments and options, and the checks of these before any work."""
