"""Drills of bad days, on servers of their own: `python -m drills failover` and others."""
