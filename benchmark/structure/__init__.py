"""How well, and how fast, classes are lifted from their annotated keypoints alone."""
