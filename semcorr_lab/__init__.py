"""What a robot never runs: rendered worlds, training, timing, the demo. Not installed by colcon."""
