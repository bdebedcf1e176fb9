"""What is wrong with a machine and a ROS graph, and the fix. Facts are gathered elsewhere; no ROS here."""
