"""Writes of what moves: one file a subject."""
