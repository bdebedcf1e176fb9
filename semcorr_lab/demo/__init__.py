"""The demo: a rendered camera, the node, and a client that measures the answers."""
