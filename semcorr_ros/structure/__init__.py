"""Structure from keypoints: a class annotated in many pictures to its shape and a camera of every picture.

No depth is needed. The shape is mirror symmetric where a flip table says so, deforms along a few modes, and
is seen by one perspective camera per picture (non-rigid structure from motion, Torresani et al. 2008, with
the symmetry of Gao and Yuille 2017 and a robust cost). Pure functions of tensors; `lift.py` is the way in.
"""
