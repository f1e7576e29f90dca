"""A body larger than any door takes is refused unread, at every door."""

import pytest
from django.test import Client

TOO_MUCH = str(45 * 1024 * 1024)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/application/documents/", "/api/v1/scans", "/accounts/login/"])
def test_a_huge_body_is_refused_unread(client: Client, path: str) -> None:
    response = client.post(path, b"x", content_type="application/octet-stream", CONTENT_LENGTH=TOO_MUCH)
    assert response.status_code == 413
    assert "44 MB" in response.content.decode()
    assert response["Content-Type"].startswith("application/problem+json" if "/api/" in path else "text/html")
