"""The PostgreSQL backend of Django, with a cheaper look at whether a connection still lives."""
