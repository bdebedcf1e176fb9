"""Diagnose a machine and a ROS graph, with fixes. Facts are gathered elsewhere; imports no ROS."""
