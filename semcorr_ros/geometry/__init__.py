"""Pure tensor functions; imports nothing of the package but artifacts."""
