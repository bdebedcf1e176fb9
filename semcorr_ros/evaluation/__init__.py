"""Metrics (pck, kap: pure), predictions on disk (predict), and numbers from them (score, tables)."""

# Fractions of the larger side of the target box (SPair-71k, AP-10K), or of the image (PF-PASCAL).
ALPHAS = (0.1, 0.05, 0.01)
IMAGE_ALPHAS = (0.15, 0.1, 0.05)
THRESHOLDS = {"bbox": ALPHAS, "image": IMAGE_ALPHAS}
