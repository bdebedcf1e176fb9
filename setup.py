"""`pip install .` for people without ROS; a ROS workspace builds with CMakeLists.txt instead."""

from setuptools import setup

setup()
