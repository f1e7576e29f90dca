"""What a statement may say, so that the same text works on one server and on a cluster (docs/statements.md).

`parsing` reads a text with PostgreSQL's own parser, `rules` judges it, `watching` does so for every statement
that a test sends.
"""
