"""Regions of interest of a detector or segmenter as places in its image."""

from __future__ import annotations

from typing import Any

from semcorr_ros.refusal import Code, Refusal
from semcorr_ros.sensing.frame import Frame
from semcorr_ros.sensing.images import labels_from_message
from semcorr_ros.sensing.place import Place, box_from_message, rectified_mask

MOST = 100  # regions of one image; the rest is counted and left out


def places(regions: Any, frame: Frame) -> list[tuple[Any, Place]]:
    """Where the regions of a Regions message are in its image. Boxes are cut at the border, not empty.

    Raises Refusal BAD_ENCODING, SIZE_MISMATCH for the label image.
    """
    height, width = frame.image.shape[:2]
    labels = None
    if regions.labels.width:
        labels = labels_from_message(regions.labels)
        if tuple(labels.shape) != (height, width):
            h, w = labels.shape
            raise Refusal(Code.SIZE_MISMATCH, f"labels are {w}x{h} but the image is {width}x{height}")
    found = []
    for region in regions.regions[:MOST]:
        if labels is not None and region.label:
            mask = rectified_mask(labels == int(region.label), frame)
            if mask.any():
                found.append((region, Place(mask=mask)))
            continue
        roi = region.roi
        roi.x_offset, roi.y_offset = min(roi.x_offset, int(width)), min(roi.y_offset, int(height))
        roi.width = min(roi.width, int(width) - roi.x_offset)
        roi.height = min(roi.height, int(height) - roi.y_offset)
        try:
            box = box_from_message(roi, (int(height), int(width)))
        except Refusal:  # hardly larger than a point, or outside of the image
            continue
        if box is not None:
            found.append((region, Place(box=box)))
    return found
