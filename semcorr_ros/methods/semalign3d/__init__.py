"""SemAlign3D (CVPR 2025): align a sparse and dense 3D class to an image by energy minimisation."""
