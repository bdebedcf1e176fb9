"""Pseudo-labels against rendered truth, filter by filter, and adapters trained on them. See __main__."""
