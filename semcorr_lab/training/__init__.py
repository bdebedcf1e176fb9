"""Training of the small networks: targets, rendered data, loops, quality measures."""
