"""The error of a document that is not acceptable."""


class DocumentRefused(Exception):
    """The file is no acceptable document; the message tells people why."""
