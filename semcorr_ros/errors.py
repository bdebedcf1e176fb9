"""Errors of the core that a caller tells apart; each is a ValueError, so that a verb ends with one line."""

from __future__ import annotations


class NotFoundError(ValueError):
    """Raised where nothing in an image looks like the class, or the class fits nothing in it."""


class BackboneMismatchError(ValueError):
    """Raised where a class and an image were encoded by different backbones."""
