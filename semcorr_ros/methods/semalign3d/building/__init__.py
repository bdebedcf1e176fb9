"""From annotated images to a class: each step of SemAlign3D's offline part in its own file."""
