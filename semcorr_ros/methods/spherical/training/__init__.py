"""From annotated pictures and coarse viewpoints to a trained mapper and class files."""
