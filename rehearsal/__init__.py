"""Stand-ins for the carrier, the caller and the vendors. Never imported by the production path."""
