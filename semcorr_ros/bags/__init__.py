"""Recorded streams: a bag goes through the steps of a live camera, and results become one."""
