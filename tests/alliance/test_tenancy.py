"""The two walls: actors and capabilities in code, scopes in the database."""

import pytest
from django.db import DatabaseError, connection

from alliance.capabilities import capabilities_of
from alliance.choices import Capability, Role
from alliance.errors import NotAuthenticated, NotPermitted
from alliance.models import Member, Organisation
from alliance.tenancy import (
    ANONYMOUS,
    Actor,
    Scope,
    protected_tables,
    raw_rows,
    require,
    scope,
)
from tests import factories

pytestmark = pytest.mark.django_db


def test_no_scope_shows_no_rows(courier_organisation: Organisation) -> None:
    assert not Organisation.objects.exists()
    with scope(Scope.everything()):
        assert Organisation.objects.exists()
    assert not Organisation.objects.exists()


def test_scope_shows_own_organisation_only(
    merchant_organisation: Organisation, rival_merchant: Organisation
) -> None:
    with scope(Scope.merchant(merchant_organisation.pk)):
        assert list(Organisation.objects.all()) == [merchant_organisation]


def test_inner_scope_gives_way_to_outer_after_success_and_failure(
    merchant_organisation: Organisation,
) -> None:
    own_scope = f"merchant:{merchant_organisation.pk}"
    with scope(Scope.merchant(merchant_organisation.pk)):
        with scope(Scope.everything()):
            assert raw_rows("SHOW alliance.scope") == [("all",)]
        assert raw_rows("SHOW alliance.scope") == [(own_scope,)]
        with pytest.raises(ValueError, match="broken"), scope(Scope.everything()):
            raise ValueError("broken")
        assert raw_rows("SHOW alliance.scope") == [(own_scope,)]


def test_no_statement_of_a_member_joins_by_merging() -> None:
    """Beside a few couriers it would walk through the organisations to the next one that the scope shows."""
    with scope(Scope.everything()):
        assert raw_rows("SHOW enable_mergejoin") == [("on",)]
    for member in (Scope.merchant(1), Scope.courier(1), Scope.user(1), Scope.parcel(1)):
        with scope(member):
            assert raw_rows("SHOW enable_mergejoin") == [("off",)]


def test_database_refuses_a_row_of_another_tenant(
    merchant_organisation: Organisation, rival_merchant: Organisation
) -> None:
    user = factories.user("someone@alliance.example")
    with (
        pytest.raises(DatabaseError, match="row-level security"),
        scope(Scope.merchant(merchant_organisation.pk)),
    ):
        Member.objects.create(organisation_id=rival_merchant.pk, user=user, role=Role.OWNER)


def test_the_role_of_the_tests_is_bound_by_policies() -> None:
    rows = raw_rows("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    assert rows == [(False, False)]


def test_every_protected_table_shows_nothing_without_a_scope(
    courier_organisation: Organisation, merchant_organisation: Organisation
) -> None:
    tables = protected_tables()
    assert "parcels_parcel" in tables
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")
            assert cursor.fetchone() == (0,), table


@pytest.mark.parametrize("table", ["parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach"])
def test_partitions_have_no_way_round_the_policies(table: str) -> None:
    rows = raw_rows(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity FROM pg_inherits i"
        " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = to_regclass(%s)",
        [table],
    )
    assert rows
    assert all(forced for _name, forced in rows)


def test_require_distinguishes_anonymous_from_not_permitted() -> None:
    with pytest.raises(NotAuthenticated):
        require(ANONYMOUS, Capability.BOOK_PARCELS)
    with pytest.raises(NotPermitted):
        require(Actor(kind="user", user_id=1), Capability.BOOK_PARCELS)


@pytest.mark.parametrize(
    ("kind", "status", "role", "capability", "allowed"),
    [
        ("courier", "active", Role.OWNER, Capability.SEND_SCANS, True),
        ("courier", "active", Role.OWNER, Capability.BOOK_PARCELS, False),
        ("courier", "applicant", Role.OWNER, Capability.SEND_SCANS, False),
        ("courier", "applicant", Role.OWNER, Capability.APPLY, True),
        ("courier", "suspended", Role.OWNER, Capability.VIEW_PARCELS, False),
        ("merchant", "active", Role.AGENT, Capability.BOOK_PARCELS, True),
        ("merchant", "active", Role.VIEWER, Capability.BOOK_PARCELS, False),
        ("merchant", "active", Role.VIEWER, Capability.VIEW_PARCELS, True),
        ("merchant", "active", Role.OWNER, Capability.SEND_SCANS, False),
        ("merchant", "active", Role.AGENT, Capability.MANAGE_KEYS, False),
    ],
)
def test_capabilities_follow_kind_status_and_role(
    kind: str, status: str, role: str, capability: Capability, *, allowed: bool
) -> None:
    assert (capability in capabilities_of(kind=kind, status=status, role=role)) is allowed


@pytest.mark.parametrize("prefix", ["a'b", "a\\", "a b", "a; SELECT 1", "a%s", "a\n"])
def test_no_scope_is_written_into_a_statement_that_would_need_an_escape(prefix: str) -> None:
    with pytest.raises(ValueError, match="is no scope"):
        _ = Scope.key(prefix).literal
    assert Scope.key("0a1b").literal == "'key:0a1b'"
