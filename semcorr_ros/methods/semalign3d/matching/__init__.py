"""Aligned images to correspondences."""
