"""Webhooks: what happened, sent to addresses of members, signed and tried again."""
