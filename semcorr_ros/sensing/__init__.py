"""From sensor messages to tensors. Reads any object that has the fields of the ROS message, whoever made
it (rclpy, a bag reader), so that a bag goes through the same code as a live camera; imports no ROS.
"""
