"""State of a process between requests: classes on the device, the inference thread, demonstrations, and
counts of what was answered, dropped and why. Imports no ROS.
"""
