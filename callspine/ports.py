"""Whether a TCP port is free, before anything starts on it."""

from __future__ import annotations

import socket

from callspine.settings import SettingsError


def refuse_busy_port(host: str, port: int, variable: str) -> None:
    """Raise SettingsError naming the port and the variable to set when something else listens there."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"port {port} on {host} is not free ({error.strerror}): "
                f"stop what listens there, or set {variable} to another port"
            ) from None
