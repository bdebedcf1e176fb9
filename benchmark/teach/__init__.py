"""A scripted user teaches a class from a synthetic camera: what it costs, and what the class is worth."""
