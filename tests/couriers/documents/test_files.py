"""What is taken for a document: its content decides, whatever its name says."""

import io
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from couriers.documents.files import MAX_BYTES, inspect, random_name, shown_name
from couriers.documents.refusals import DocumentRefused
from tests.couriers.helpers import files


def look(content: bytes) -> str:
    return inspect(io.BytesIO(content), size=len(content)).content_type


def refusal(content: bytes) -> str:
    with pytest.raises(DocumentRefused) as caught:
        look(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (files.pdf(), "application/pdf"),
        (files.image("PNG"), "image/png"),
        (files.image("JPEG"), "image/jpeg"),
    ],
)
def test_sound_files_are_recognised(content: bytes, content_type: str) -> None:
    stream = io.BytesIO(content)
    found = inspect(stream, size=len(content))
    assert (found.content_type, found.size) == (content_type, len(content))
    assert stream.tell() == 0


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\r\n\n", b"\0" * 100, b"From: a mail gateway\r\n\r\n"])
def test_bytes_before_a_pdf_are_accepted(before: bytes) -> None:
    assert look(before + files.pdf()) == "application/pdf"


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_pdf_that_restricts_printing_only_is_accepted(algorithm: str) -> None:
    assert look(files.encrypted_pdf(algorithm=algorithm, password="")) == "application/pdf"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pictures_of_all_depths_are_whole(mode: str) -> None:
    assert look(files.blank_image(mode)) == "image/png"


def test_pictures_are_checked_in_little_memory() -> None:
    """Eight at once, of 48 million pixels each, would need gigabytes when they are decoded as they are."""
    content = files.flat_jpeg(8_000, 6_000)
    tracemalloc.start()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, [content] * 8)) == ["image/jpeg"] * 8
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000


def test_exactly_ten_megabytes_are_allowed_and_one_byte_more_is_not() -> None:
    # Whatever follows the end of a JPEG is ignored by everybody.
    image = files.image("JPEG")
    assert look(image + bytes(MAX_BYTES - len(image))) == "image/jpeg"
    assert "10.1 MB; at most 10 MB" in refusal(image + bytes(MAX_BYTES - len(image) + 1))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (files.archive(), "ZIP archive"),
        (b"MZ\x90\x00 this program", "not PDF, PNG or JPEG"),
        (b"<html><script>alert(1)</script>", "not PDF, PNG or JPEG"),
        (b"GIF89a" + bytes(50), "not PDF, PNG or JPEG"),
        (files.encrypted_pdf(), "password"),
        (files.pdf()[: len(files.pdf()) // 2], "incomplete"),
        (b"%PDF-1.7\nnothing\n%%EOF", "damaged"),
        (files.pdf(pages=201), "1 to 200 pages"),
        (files.pdf_with_script(), "program"),
        (files.encrypted_pdf(algorithm="AES-128"), "password"),
        (files.encrypted_pdf(algorithm="AES-256"), "password"),
        (files.pdf_with({"/S": "/Launch"}), "program"),
        (files.pdf_with({"/A": {"/S": "/JavaScript"}}), "program"),
        (files.pdf_with({"/XFA": "/Form"}), "XFA"),
        (files.pdf_with({"/EF": {}}), "other files"),
        (files.pdf_with_attachment(), "other files"),
        (b"<html><script>1</script>" + files.pdf(), "not PDF, PNG or JPEG"),
        (b"MZ" + files.pdf(), "not PDF, PNG or JPEG"),
        (b"GIF89a" + files.pdf(), "not PDF, PNG or JPEG"),
        (bytes(2_000) + files.pdf(), "not PDF, PNG or JPEG"),
        (files.image("PNG", (400, 400)).replace(b"IDAT", b"IDAX", 1), "damaged or incomplete"),
        (files.bomb(1_000, 1_000, pixels=20_000_000), "damaged or incomplete"),
        (files.flat_jpeg(6_000, 5_000, progressive=True), "6000 by 5000 pixels"),
        (files.bomb(), "too many pixels"),
        (files.bomb(10_000, 8_000), "10000 by 8000 pixels"),
        (files.image("PNG", (400, 400))[:-2000], "damaged or incomplete"),
        (files.image("JPEG", (400, 400))[:-9000], "damaged or incomplete"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "damaged"),
        (b"\xff\xd8\xff\xe0 not a picture", "damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "content",
)
def test_unsound_files_are_refused_with_the_reason(content: bytes, says: str) -> None:
    assert says in refusal(content)


def test_a_claimed_small_size_does_not_let_a_large_file_in() -> None:
    found = inspect(io.BytesIO(files.image("JPEG") + bytes(100)), size=5)
    assert found.size > 100


def test_stored_names_tell_nothing() -> None:
    names = {random_name(object(), "杭州飞燕.pdf") for _try in range(50)}
    assert len(names) == 50
    assert all("杭州" not in name and name.startswith("documents/") for name in names)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\licences\\营业执照.pdf", "营业执照.pdf"),
        ('a"b\r\nSet-Cookie: x.pdf', "abSet-Cookie x.pdf"),
        ("fdp\u202efdp.exe", "fdpfdp.exe"),
        ("", "document"),
        (" .. ", "document"),
    ],
)
def test_shown_names_are_harmless(given: str, shown: str) -> None:
    assert shown_name(given) == shown


def test_shown_names_are_cut_from_the_front() -> None:
    assert shown_name("执" * 300 + ".pdf") == "执" * 156 + ".pdf"
