"""Accuracy on rendered images with known truth: scenes, feature settings, variants, measures, report."""
