"""ROS 2 nodes: thin, the only folder that imports ROS; nothing imports it."""
