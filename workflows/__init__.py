"""Durable progress of calls."""
