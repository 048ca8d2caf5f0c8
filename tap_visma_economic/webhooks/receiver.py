"""The receiver: an HTTP server that stores what webhooks report."""

from __future__ import annotations


def serve(url: str, *, host: str, port: int, at_most: int) -> None:
    """Receive webhooks until SIGINT or SIGTERM."""
