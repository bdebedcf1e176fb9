"""What a process that answers requests keeps between them: classes on the device, the inference thread,
demonstrations, and counts of what was answered, dropped and why. Imports no ROS.
"""
