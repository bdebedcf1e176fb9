"""What is mutated, and which tests are asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SEMALIGN3D = "semcorr_ros/methods/semalign3d"
# Everything that may run lines of the packages, apart from nodes in processes of their own.
TESTS = (
    "test/geometry", "test/methods", "test/evaluation", "test/sensing", "test/structure",
    "test/visualization",
    "test/ros/test_messages.py", "test/ros/test_conversions.py", "test/ros/test_target_frame.py",
    "test/ros/test_equivalents.py", "test/test_conventions.py", "test/test_observations.py",
    "test/test_api.py", "test/test_finder.py", "test/cli/test_evaluate.py", "test/cli/test_build_class.py",
    "test/cli/test_align_transfer.py", "test/bags",
)  # fmt: skip


@dataclass(frozen=True)
class Package:
    """Files and folders, relative to the root."""

    sources: tuple[str, ...]

    def files(self, root: Path) -> list[str]:
        """List the modules."""
        found: set[Path] = set()
        for source in self.sources:
            path = root / source
            found |= {path} if path.is_file() else set(path.rglob("*.py"))
        return sorted(str(path.relative_to(root)) for path in found)


PACKAGES = {
    "geometry": Package(("semcorr_ros/geometry",)),
    "representation": Package(
        (f"{SEMALIGN3D}/artifacts.py", f"{SEMALIGN3D}/class_file.py", f"{SEMALIGN3D}/building")
    ),
    "alignment": Package((f"{SEMALIGN3D}/alignment",)),
    "matching": Package(
        (f"{SEMALIGN3D}/matching", f"{SEMALIGN3D}/matching_config.py", f"{SEMALIGN3D}/model.py")
    ),
    "evaluation": Package(("semcorr_ros/evaluation",)),
    "ros": Package(
        ("semcorr_ros/ros/messages.py", "semcorr_ros/ros/conversions.py", "semcorr_ros/ros/transforms.py",
         "semcorr_ros/sensing")
    ),
}  # fmt: skip
# Kernels in Triton, which its interpreter takes minutes to compare with autograd, and not while it is traced.
LEFT_OUT = (f"{SEMALIGN3D}/alignment/fused/", "test/methods/semalign3d/alignment/test_fused.py")
