"""How dates and numbers are written, by language: dates that read the same everywhere, a 24-hour clock."""
