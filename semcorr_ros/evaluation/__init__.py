"""Metrics (pck, kap: pure), predictions on disk (predict), and numbers from them (score, tables)."""

# Fractions of the larger side of the target box (SPair-71k).
ALPHAS = (0.1, 0.05, 0.01)
