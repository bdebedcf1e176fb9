"""3D priors for correspondence without keypoints or poses (Geometry Matters, 3D-SC).

A mesh for each image, its pose refined by render-and-compare, its yaw made the same within the category.
Stages with files in between (`work_folder.py`), each resumable (`stages.py`). `artifacts.py` is read first.

Not in methods/: what is there finds a class in an image; this makes labels that a backbone is trained with.
"""
