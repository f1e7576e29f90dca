"""Writes of the SLA engine: one file a subject."""
