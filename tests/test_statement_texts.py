"""The stored statements are written out beside the tests, as they are sent to the database."""

from tests.helpers.statement_texts import FOLDER, written_out


def test_stored_statements_are_written_out_as_they_are() -> None:
    files = {path.name: path.read_text() for path in FOLDER.iterdir()}
    # On purpose? Then `python -m tests.helpers.statement_texts` writes them anew.
    assert files == written_out()
