"""Checks of problem documents."""

import json
from typing import Any


def problem(response: Any, status: int) -> dict[str, Any]:
    """Return the body of a problem, after checking the fields that all have."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert {"type", "title", "status", "detail", "request_id"} <= set(body)
    assert body["status"] == status
    assert body["type"].startswith("urn:alliance:problem:")
    assert body["request_id"] == response["X-Request-Id"]
    return body
