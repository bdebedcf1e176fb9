"""Is the direction of an object about its upright axis seen?

Of a cup whose handle is hidden it is not, whatever direction the energy prefers: the rest of it is a body of
revolution, and what little its outline and its light say is not worth a robot's grasp.
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from semcorr_ros.methods.semalign3d.artifacts import Alignment, ClassRepresentation
from semcorr_ros.methods.semalign3d.matching.visibility import visible_share

SEEN = 0.5  # soft visibility from which a point counts as seen
FEWEST = 0.1  # share of the telling points that must be seen
ON_AXIS = 0.25  # canonical units from the axis within which a point hardly moves when the object turns
UNKNOWN = "direction about the upright axis unknown: the part that tells it is hidden"


def direction_is_seen(model: ClassRepresentation, aligned: Alignment) -> bool:
    """Tell whether enough is seen of what tells the direction; true for a class of which all of it does."""
    if model.telling is None:
        return True
    seen = visible_share(aligned.dense[0, model.telling], aligned) > SEEN
    return float(seen.float().mean()) >= FEWEST


def turns_with_it(
    points: Float[Tensor, "point 3"], model: ClassRepresentation, aligned: Alignment
) -> Bool[Tensor, "point"]:
    """Tell which camera-frame points are elsewhere when the object turns about its upright axis."""
    canonical = (points - aligned.translation[0]) @ aligned.rotation[0] / aligned.scale[0]
    return (canonical - model.axis)[:, :2].norm(dim=-1) > ON_AXIS
