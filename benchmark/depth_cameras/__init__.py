"""Real RGB-D frames through the node: what it answers, how far off, and what it refuses. See __main__."""
