"""Scopes of API keys: every route of the API has one, and each gives what its routes ask for."""

import pytest
from django.urls import get_resolver

from alliance.capabilities import KEY_SCOPES, KIND_CAPABILITIES
from alliance.choices import Capability, OrganisationKind
from alliance.key_scopes import (
    JOBS,
    RESOURCES,
    ROUTES,
    capabilities_for,
    jobs_within,
    permission_of,
    scope_of_route,
    scopes_within,
)


def routes() -> list[tuple[str, str | None]]:
    found = []
    for pattern in get_resolver().url_patterns:
        if str(pattern.pattern) == "api/":
            for part in pattern.url_patterns:
                if str(part.pattern) == "v1/":
                    # The root itself is a route without others.
                    below = getattr(part, "url_patterns", [])
                    found += [(f"api/v1/{each.pattern}", each.name) for each in below]
    return found


def test_every_route_has_a_scope_or_is_open() -> None:
    """Add a new route's first word, or its name, to `<app>/api/key_scopes.py`."""
    assert len(routes()) > 50
    assert [route for route, name in routes() if scope_of_route(route, name, "GET") is None] == []


def test_every_scope_leads_somewhere() -> None:
    resources = {found.resource for found in ROUTES.values()}
    assert resources - {""} == set(RESOURCES)
    scopes = {scope_of_route(route, name, method) for route, name in routes() for method in ("GET", "POST")}
    every = {f"{name}:{action}" for name, resource in RESOURCES.items() for action in resource.actions}
    assert every - scopes - {"parcels:unmask"} == set()


def test_scopes_give_what_keys_may_have_and_jobs_are_made_of_them() -> None:
    for name, resource in RESOURCES.items():
        for action, permission in resource.actions.items():
            assert permission.main <= permission.capabilities <= KEY_SCOPES, (name, action)
    assert all(permission_of(scope) for job in JOBS.values() for scope in job.scopes)


@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        (OrganisationKind.MERCHANT, {"orders", "dispatch", "reports", "books"}),
        (OrganisationKind.COURIER, {"dispatch", "depot", "sales", "reports", "books"}),
    ],
)
def test_each_kind_is_offered_what_it_can_do(kind: str, jobs: set[str]) -> None:
    assert set(jobs_within(KIND_CAPABILITIES[kind])) == jobs
    scopes = scopes_within(KIND_CAPABILITIES[kind])
    assert ("scans:write" in scopes) is (kind == OrganisationKind.COURIER)
    assert ("recipients:write" in scopes) is (kind == OrganisationKind.MERCHANT)


def test_webhooks_send_a_key_what_its_other_scopes_let_it_read() -> None:
    alone = capabilities_for("webhooks:write", frozenset({"webhooks:write"}))
    beside = capabilities_for(
        "webhooks:write", frozenset({"webhooks:write", "parcels:write", "statements:read"})
    )
    assert alone == {Capability.MANAGE_WEBHOOKS}
    assert beside == {Capability.MANAGE_WEBHOOKS, Capability.VIEW_PARCELS, Capability.VIEW_FINANCE}


def test_a_resource_is_not_another_one_that_begins_like_it() -> None:
    assert capabilities_for("parcels:read", frozenset({"parcel:read", "labels:read"})) is None
    assert capabilities_for("", frozenset()) == frozenset()
