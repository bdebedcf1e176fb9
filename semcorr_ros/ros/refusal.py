"""Error codes of the node's answers: those of `sensing`, which bags are replayed with as well."""

from __future__ import annotations

from semcorr_ros.refusal import Code, Refusal, shortened

__all__ = ["Code", "Refusal", "shortened"]
