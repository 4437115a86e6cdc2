"""Vendors on loopback that speak the documented wire protocols, with their faults."""
