"""Reading and writing files and folders, whole or not at all."""
