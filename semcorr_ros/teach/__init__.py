"""Teach a class on a web page: collect pictures, annotate them with proposals, build, see, use.

`session.py` holds a project and needs nothing but its folder; `teacher.py` puts networks, builds and a camera
around it; `web.py` and `page/` only show it.
"""
