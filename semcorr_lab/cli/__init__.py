"""Verbs of the lab, one per file, as in semcorr_ros/cli."""
