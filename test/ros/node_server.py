"""Becomes a node when it is told to, with what a node imports already there: torch alone takes seconds.

Every node is a process of its own, and ends like one that a shell started; only the imports are shared.
Run as `python node_server.py SOCKET`; ends with its standard input.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys


def become(request: dict, descriptor: int) -> list[str]:
    """Turn this process into the one that was asked for; returns its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number in (1, 2):
        os.dup2(descriptor, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    return request["arguments"]


def keep(connection: socket.socket, node: int) -> None:
    """Tell whoever asked the node's process id, and its exit status once it has one."""
    connection.sendall(f"{node}\n".encode())
    _, status = os.waitpid(node, 0)
    connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def serve(path: str) -> list[str]:
    """Fork a node for every connection; returns its arguments in the node, and never in the server."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers leave no zombies
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{path}.new")
        listener.listen()
        os.rename(f"{path}.new", path)  # whoever sees it can connect
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                os._exit(0)
            connection, _ = listener.accept()
            message, (descriptor,), _, _ = socket.recv_fds(connection, 1 << 20, 1)
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                node = os.fork()
                if node == 0:
                    connection.close()
                    return become(json.loads(message), descriptor)
                os.close(descriptor)
                try:
                    keep(connection, node)
                finally:
                    os._exit(0)
            os.close(descriptor)
            connection.close()


if __name__ == "__main__":
    # Nothing of rclpy: it starts threads, and those are not there after a fork.
    from ros.run_node import run

    import semcorr_ros.finder
    import semcorr_ros.methods.semalign3d.model
    import semcorr_ros.serving.class_bank
    import semcorr_ros.stream  # noqa: F401

    sys.exit(run(serve(sys.argv[1])))
