"""Writes of membership: applications, their documents, and what the alliance decides on them."""
