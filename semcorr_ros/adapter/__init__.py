"""A small network on frozen features that learns what they confuse (GeoAware-SC, DIY-SC, 3D-SC).

Two sources of labels, one form (`labels.py`) and one trainer: matches that were verified without anybody's
annotation, or keypoints of a data set. What comes out is a backbone: `features/adapter.py`.
"""
