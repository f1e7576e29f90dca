"""The request log: calls of the API by key, of the last days."""
