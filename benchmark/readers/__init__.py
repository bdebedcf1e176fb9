"""Damaged files against the readers: what they answer must be right, or refused with a sentence."""
