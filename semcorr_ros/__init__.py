"""Category-level semantic correspondence for robots."""

# A source checkout, a pip install and the colcon install space (which holds the generated
# `semcorr_ros.msg` and `semcorr_ros.srv`) may all be on sys.path: let them overlap.
__path__ = __import__("pkgutil").extend_path(__path__, __name__)

__version__ = "0.1.0"
