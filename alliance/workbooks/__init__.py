"""Excel and OpenDocument workbooks: read in a process of its own, and written."""
