"""Procedural object classes, a ray-cast renderer, and a writer of the SPair-71k layout.

Object frame everywhere: x front, y left, z up, metres. Every class is mirror symmetric about y = 0.
"""
