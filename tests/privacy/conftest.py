"""Servers and houses of whole calls."""

from __future__ import annotations

from tests.durable.conftest import client, environment, house

__all__ = ["client", "environment", "house"]
