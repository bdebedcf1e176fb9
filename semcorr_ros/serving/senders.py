"""Who sends on a topic: two publishers that alternate are told from one that has replaced another."""

from __future__ import annotations

from collections import deque

REMEMBERED = 12  # messages


class Senders:
    """The senders of the last messages of a topic. O(1) a message."""

    def __init__(self) -> None:
        self._last: deque[bytes] = deque(maxlen=REMEMBERED)

    def note(self, sender: bytes) -> None:
        """Remember who sent the message that has just come."""
        self._last.append(sender)

    def alternating(self) -> set[bytes]:
        """Return those of whom a message came before and after one of another's; empty for one, and for one
        after the other."""
        order = [one for i, one in enumerate(self._last) if i == 0 or one != self._last[i - 1]]
        return set(order) if len(order) > len(set(order)) else set()
