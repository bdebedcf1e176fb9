"""What each filter of pseudo-labels is worth against rendered truth, and an adapter trained on them. See __main__."""
