"""A body above the limit is refused by its announced length, and nothing of it is stored."""

from io import BytesIO

import pytest
from django.test import Client

TOO_MUCH = str(45 * 1024 * 1024)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "most"),
    [("/application/documents/", "44 MB"), ("/api/v1/scans", "12 MB"), ("/accounts/login/", "44 MB")],
)
def test_a_huge_body_is_refused_by_its_length(client: Client, path: str, most: str) -> None:
    # Not the test client's own body, which refuses to be read further than it goes.
    announced = {"CONTENT_LENGTH": TOO_MUCH, "wsgi.input": BytesIO(b"x")}
    response = client.post(path, content_type="application/octet-stream", **announced)
    assert response.status_code == 413
    assert most in response.content.decode()
    assert response["Content-Type"].startswith("application/problem+json" if "/api/" in path else "text/html")


@pytest.mark.parametrize(("path", "stranger"), [("/bookings/upload/", 302), ("/api/v1/booking-files", 401)])
def test_authenticated_booking_file_may_be_larger(
    client: Client, merchant_client: Client, path: str, stranger: int
) -> None:
    form = "multipart/form-data; boundary=b"
    announced = {"CONTENT_LENGTH": TOO_MUCH, "wsgi.input": BytesIO(b"x")}
    assert client.post(path, content_type=form, **announced).status_code == stranger
    # Let in, and found to be cut off.
    assert merchant_client.post(path, content_type=form, **announced).status_code == 400
    over = {"CONTENT_LENGTH": str(505 * 1024 * 1024), "wsgi.input": BytesIO(b"x")}
    response = merchant_client.post(path, content_type=form, **over)
    assert response.status_code == 413
    assert "504 MB" in response.content.decode()
