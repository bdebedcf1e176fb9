"""What people have on disk, one reader per kind: picture, mask, depth, camera. Every verb and data set reads
through them, and messages through the same decoders, so that a fix is made once.
"""
