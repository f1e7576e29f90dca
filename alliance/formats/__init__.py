"""Formats of dates and numbers by language: unambiguous dates and a 24-hour clock."""
