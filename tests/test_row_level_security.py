"""The second wall: what the database shows and takes, whatever the code above it asks.

Everything runs as the application's own role, in a world where two couriers and two merchants
have one of everything.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.test import override_settings

from alliance import checks
from alliance.choices import OrganisationStatus
from alliance.database.cluster import is_distributed
from alliance.database.placements import LOCAL
from alliance.members.acquaintances import acquaint
from alliance.models import ApiKey, Contact, Organisation, User
from alliance.tenancy import Scope, protected_tables, raw_rows, scope
from parcels.models import Merchant, Parcel
from tests import factories
from tests.access import world
from tests.helpers.owner import execute_as_owner

pytestmark = pytest.mark.django_db

TENANT_COLUMNS = {"merchant_id", "courier_id", "organisation_id", "parcel_id"}
# Reviewed: tables with such a column that are nobody's.
UNPROTECTED: set[str] = set()
# Reviewed: what couriers and merchants may read of others, and why.
COURIERS_READ = {
    "alliance_organisation": "names of merchants stand on the courier's parcels",
    "parcels_merchant": "as above: ids, and whether a limit was lifted",
    "couriers_facility": "shared by all couriers",
    "slas_ontimerate": "merchants' cells that name it: how it did for each",
    "slas_overduecount": "as above: how many are overdue for each",
}
MERCHANTS_READ = {
    "alliance_organisation": "couriers' names stand in quotes",
    "couriers_courier": "as above, with legal names, numbers of permits, and grades",
    "slas_offer": "what is on sale",
    "slas_capacityday": "whether there is room",
    "slas_ontimerate": "how couriers did on a lane",
    "slas_progress": "how early or late they were: what arrivals are forecast from",
}
# Reviewed: what merchants change of couriers', by reserving places.
MERCHANTS_UPDATE = {"slas_capacityday": "places are reserved"}
# Reviewed: everybody known leaves traces.
EVERYBODY_INSERTS = {"alliance_auditentry"}
PARTITIONED = {"parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach"}


class Sides:
    """Two couriers and two merchants, and the ids the policies compare."""

    def __init__(self) -> None:
        self.world = world.build()
        with scope(Scope.everything()):
            ids = dict(Organisation.objects.values_list("name", "pk"))
            self.parcel = Parcel.objects.get(pk=self.world.things["parcel_id"])
            self.prefix = ApiKey.objects.get(pk=self.world.things["courier_key"]).prefix
            self.tables = protected_tables()
            # What would be inserted: rows of every table as they are.
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                for table in self.tables:
                    cursor.execute(f"CREATE TEMPORARY TABLE copy_of_{table} AS SELECT * FROM {table}")
                cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        self.courier, self.rival_courier = ids["Swift Express"], ids["Rival Logistics"]
        self.merchant = ids["Lotus Tea"]


@contextmanager
def no_guards() -> Iterator[None]:
    """Switch triggers off that guard other rules: they would complain before the policies do.

    Not in the transaction of the tests: on a cluster nobody reads what another role changed in it.
    """
    with scope(Scope.everything()):
        # Those of tables that are on other nodes let every insert pass, and cannot be switched off.
        tables = sorted(LOCAL) if is_distributed() else protected_tables()
        guarded = raw_rows(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid"
            " WHERE NOT tgisinternal AND relname = ANY(%s) AND tgtype & 28 > 0",
            [tables],
        )
    for (table,) in guarded:
        execute_as_owner(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    for (table,) in guarded:
        execute_as_owner(f"ALTER TABLE {table} ENABLE TRIGGER USER")


@pytest.fixture(scope="module")
def sides(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sides]:
    with (
        django_db_blocker.unblock(),
        override_settings(**world.settings(tmp_path_factory.mktemp("media"))),
        no_guards(),
        transaction.atomic(),
    ):
        if is_distributed():
            # Tables of all nodes are written in one transaction, by one connection to each.
            raw_rows("SET LOCAL citus.multi_shard_modify_mode = 'sequential'")
        yield Sides()
        transaction.set_rollback(True)


def count(table: str, where: str = "true") -> int:
    [(found,)] = raw_rows(f"SELECT count(*) FROM {table} WHERE {where}")
    return int(found)


def affected(sql: str) -> int:
    """How many rows a statement would change; it is undone."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
        changed = cursor.rowcount
        transaction.set_rollback(True)
    return changed


def columns(table: str) -> set[str]:
    return {
        row[0]
        for row in raw_rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table]
        )
    }


def plain_column(table: str) -> str:
    """A column that may be written: neither a key, nor what says in which shard a row is."""
    return min(columns(table) - {"id", "parcel_id"})


def owner_column(table: str, kind: str) -> str:
    """The column whose value makes a row of `table` an organisation's own; "" when there is none."""
    if table == "alliance_organisation":
        return "id"
    return next((name for name in (f"{kind}_id", "organisation_id") if name in columns(table)), "")


def takes(table: str, source: str) -> bool:
    """Whether the policies let these rows in; a complaint about anything else comes after them."""
    insert = f"INSERT INTO {table} {source}"
    if is_distributed():
        # Else rows would be copied to the shards, which policies refuse whatever is in them.
        insert += " ON CONFLICT DO NOTHING"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(insert)
            inserted = cursor.rowcount > 0
            if is_distributed() and source.startswith("SELECT"):
                # Policies are asked before it is seen whether a row is there already.
                cursor.execute(f"SELECT EXISTS ({source})")
                [inserted] = cursor.fetchone()
            transaction.set_rollback(True)
    except DatabaseError as error:
        return "row-level security" not in str(error)
    return inserted


def partitions_of(tables: set[str]) -> list[str]:
    rows = raw_rows(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname = ANY(%s) ORDER BY 1",
        [sorted(tables)],
    )
    return [row[0] for row in rows]


def views() -> list[str]:
    """Our views: not those that an extension made."""
    rows = raw_rows(
        "SELECT relname FROM pg_class"
        " WHERE relkind IN ('v', 'm') AND relnamespace = current_schema()::regnamespace"
        " AND NOT EXISTS (SELECT 1 FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')"
    )
    return [row[0] for row in rows]


# --- which tables ---


def test_every_table_with_a_tenants_column_is_protected() -> None:
    rows = raw_rows(
        "SELECT DISTINCT c.table_name FROM information_schema.columns c"
        " JOIN pg_class t ON t.relname = c.table_name AND t.relnamespace = current_schema()::regnamespace"
        " WHERE c.column_name = ANY(%s) AND t.relkind IN ('r', 'p') AND NOT t.relispartition",
        [sorted(TENANT_COLUMNS)],
    )
    assert {row[0] for row in rows} - set(protected_tables()) == UNPROTECTED


def test_views_ask_with_the_rights_of_who_asks() -> None:
    assert views()
    options = dict(raw_rows("SELECT relname, array_to_string(reloptions, ',') FROM pg_class"))
    assert [name for name in views() if "security_invoker=true" not in (options[name] or "")] == []


def test_these_functions_run_with_the_rights_of_the_owner() -> None:
    """Others would be a way round. These look for names in no other schema, and nobody else may call them."""
    definers = raw_rows(
        "SELECT proname, proconfig[1], proacl::text ~ '[{,]=X' FROM pg_proc"
        " WHERE prosecdef AND pronamespace = current_schema()::regnamespace ORDER BY proname"
    )
    names = (
        *("alliance_drop_day", "alliance_make_day", "alliance_make_month"),
        *("alliance_organisations_named", "alliance_users_named"),
    )
    holding = ("alliance_hold_shard", "search_path=public, pg_catalog, pg_temp", False)
    # Of a cluster's catalogue.
    asking = ("alliance_ask_worker", "search_path=pg_catalog, pg_temp", False)
    ours = [(name, "search_path=public, pg_temp", False) for name in names]
    assert definers == sorted([asking, *([holding] if is_distributed() else []), *ours])


def test_the_world_has_rows_of_everything_to_hide(sides: Sides) -> None:
    with scope(Scope.everything()):
        # Those of single days, which other tests leave behind, count for the table above them.
        days = {name for (name,) in raw_rows("SELECT inhrelid::regclass::text FROM pg_inherits")}
        assert [table for table in sides.tables if table not in days and count(table) == 0] == []


# --- without a scope ---


def test_without_a_scope_no_table_and_no_view_shows_anything(sides: Sides) -> None:
    shown = [name for name in [*sides.tables, *views(), *partitions_of(PARTITIONED)] if count(name)]
    assert shown == []


def test_without_a_scope_nothing_is_changed_or_deleted(sides: Sides) -> None:
    for table in [*sides.tables, *partitions_of(PARTITIONED)]:
        column = plain_column(table)
        assert affected(f"DELETE FROM {table}") == 0, table
        assert affected(f"UPDATE {table} SET {column} = NULL") == 0, table


def test_without_a_scope_nothing_is_inserted(sides: Sides) -> None:
    taken = [table for table in sides.tables if takes(table, f"SELECT * FROM copy_of_{table}")]
    assert taken == []


@pytest.mark.parametrize(
    "value", ["", "everything", "ALL", "merchant:", "courier:%", "merchant:0", "parcel:"]
)
def test_a_scope_that_means_nothing_shows_nothing(sides: Sides, value: str) -> None:
    assert Scope.nothing().value == ""
    with scope(Scope(value)):
        shown = [table for table in sides.tables if count(table)]
    # Of everybody's kind, whoever they are: names and shared things.
    assert set(shown) <= set(COURIERS_READ) | set(MERCHANTS_READ) if ":" in value else not shown


def test_partitions_show_nothing_but_through_their_parents(sides: Sides) -> None:
    with scope(Scope.everything()):
        names = partitions_of(PARTITIONED)
        assert len(names) >= 4 * 6
        assert [name for name in names if count(name)] == []
        assert [name for name in names if affected(f"DELETE FROM {name}")] == []
        for parent in PARTITIONED:
            assert not takes(_partition_with(parent), f"SELECT * FROM copy_of_{parent}"), parent


def _partition_with(parent: str) -> str:
    """The partition the newest row of a table is in; a shard's name is the partition's and a number."""
    key = "id" if parent == "parcels_parcel" else "parcel_id"
    [(name,)] = raw_rows(f"SELECT tableoid::regclass::text FROM {parent} ORDER BY {key} DESC LIMIT 1")
    return re.sub(r"_\d+$", "", name)


# --- with an organisation's scope ---


@pytest.mark.parametrize(("kind", "wider"), [("courier", COURIERS_READ), ("merchant", MERCHANTS_READ)])
def test_an_organisation_sees_its_own_rows(sides: Sides, kind: str, wider: dict[str, str]) -> None:
    own = getattr(sides, kind)
    sees_others, sees_own = set(), set()
    with scope(Scope(f"{kind}:{own}")):
        for table in sides.tables:
            column = owner_column(table, kind)
            if count(table, f"{column} IS DISTINCT FROM {own}" if column else "true"):
                sees_others.add(table)
            if column and count(table, f"{column} = {own}"):
                sees_own.add(table)
    assert sees_others == set(wider)
    assert {"parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach", "alliance_apikey"} <= sees_own


@pytest.mark.parametrize(("kind", "wider"), [("courier", set()), ("merchant", set(MERCHANTS_UPDATE))])
def test_an_organisation_changes_and_deletes_nobody_elses_rows(
    sides: Sides, kind: str, wider: set[str]
) -> None:
    own = getattr(sides, kind)
    with scope(Scope.everything()):
        mine = {table: _own_rows(table, kind, own) for table in sides.tables}
    with scope(Scope(f"{kind}:{own}")):
        for table in sides.tables:
            # Without a WHERE: the policy for reading is not asked, those for writing must hold alone.
            assert affected(f"DELETE FROM {table}") <= mine[table], f"DELETE FROM {table}"
            if table not in wider:
                column = plain_column(table)
                changed = affected(f"UPDATE {table} SET {column} = {column}")
                assert changed <= mine[table], f"UPDATE {table}"


def _own_rows(table: str, kind: str, own: int) -> int:
    column = owner_column(table, kind)
    return count(table, f"{column} = {own}") if column else 0


@pytest.mark.parametrize("kind", ["courier", "merchant"])
def test_an_organisation_inserts_no_row_for_another(sides: Sides, kind: str) -> None:
    own, taken = getattr(sides, kind), set()
    with scope(Scope(f"{kind}:{own}")):
        for table in sides.tables:
            column = owner_column(table, kind)
            others = f" WHERE {column} IS DISTINCT FROM {own}" if column else ""
            # A table of which only A has rows proves nothing.
            if takes(table, f"SELECT * FROM copy_of_{table}{others} LIMIT 1"):
                taken.add(table)
    assert taken == EVERYBODY_INSERTS | ({"slas_capacityday"} if kind == "merchant" else set())


def test_nobody_but_ops_rewrites_what_was_recorded(sides: Sides) -> None:
    for who in (Scope.courier(sides.courier), Scope.merchant(sides.merchant)):
        with scope(who):
            assert affected("DELETE FROM alliance_auditentry") == 0
            assert affected("UPDATE alliance_auditentry SET verb = 'x'") == 0


def test_names_are_known_to_those_who_have_parcels_in_common(sides: Sides) -> None:
    strangers = {name: factories.merchant_organisation(name).pk for name in ("Jade Lamps", "Plum Toys")}
    applicant = factories.courier_organisation("Hopeful Express", OrganisationStatus.APPLICANT).pk
    with scope(Scope.courier(sides.courier)):
        assert set(Organisation.objects.values_list("pk", flat=True)) >= {sides.courier, sides.merchant}
        assert not Organisation.objects.filter(pk__in=[*strangers.values(), applicant]).exists()
        assert sides.merchant in Merchant.objects.values_list("pk", flat=True)
        assert not Merchant.objects.filter(pk__in=strangers.values()).exists()
        assert not Organisation.objects.filter(kind="courier").exclude(pk=sides.courier).exists()
    with scope(Scope.merchant(sides.merchant)):
        assert Organisation.objects.filter(pk=sides.rival_courier).exists()
        assert not Organisation.objects.filter(kind="merchant").exclude(pk=sides.merchant).exists()
        assert not Organisation.objects.filter(pk=applicant).exists()
        acquaint([(sides.merchant, applicant)])
        # Of imported history: a courier that never joined.
        assert Organisation.objects.filter(pk=applicant).exists()
    with scope(Scope.courier(sides.courier)):
        # A courier does not make itself known.
        assert not takes(
            "alliance_acquaintance",
            f"(merchant_id, courier_id) VALUES ({strangers['Plum Toys']}, {sides.courier})",
        )


def test_contacts_are_read_by_their_own_people_and_ops(sides: Sides) -> None:
    with scope(Scope.everything()):
        assert Contact.objects.count() >= 2
    for who, own in (
        (Scope.merchant(sides.merchant), [sides.merchant]),
        (Scope.courier(sides.courier), [sides.courier]),
        (Scope.parcel(sides.parcel.pk), []),
        (Scope.key(sides.prefix), []),
    ):
        with scope(who):
            assert list(Contact.objects.values_list("pk", flat=True)) == own


def test_nobody_makes_themselves_a_member(sides: Sides) -> None:
    member = User.objects.get(email="courier_agent@alliance.example")
    for who in (Scope.user(member.pk), Scope.courier(sides.courier), Scope.merchant(sides.merchant)):
        with scope(who):
            for organisation in (sides.courier, sides.rival_courier, sides.merchant):
                values = f"({organisation}, {member.pk}, 'owner', now())"
                columns = "(organisation_id, user_id, role, created_at)"
                assert not takes("alliance_member", f"{columns} VALUES {values}")
    with scope(Scope.user(member.pk)):
        assert affected("UPDATE alliance_member SET role = 'owner'") == 0
        assert affected("DELETE FROM alliance_member") == 0


# --- with the scopes of one thing ---


def test_the_tracking_page_sees_exactly_one_parcel(sides: Sides) -> None:
    key = {"parcels_parcel": "id", "parcels_scan": "parcel_id", "slas_commitment": "parcel_id"}
    with scope(Scope.parcel(sides.parcel.pk)):
        assert list(Parcel.objects.values_list("pk", flat=True)) == [sides.parcel.pk]
        for table, column in key.items():
            assert count(table, f"{column} <> {sides.parcel.pk}") == 0, table
        shown = {table for table in sides.tables if count(table)}
    # Of couriers' histograms only what arrivals are forecast from.
    by_parcel = {"parcels_returnrequest", "slas_breach", "slas_revision", "slas_watchitem", "slas_progress"}
    assert shown <= {*key, *by_parcel}


def test_names_on_tracking_pages_are_read_in_the_scope_of_no_parcel(sides: Sides) -> None:
    with scope(Scope.parcel(0)):
        read = Organisation.objects.all()
        assert set(read.values_list("pk", flat=True)) >= {sides.courier, sides.rival_courier}
        assert not read.exclude(kind="courier").exists()
        assert {table for table in sides.tables if count(table)} == {"alliance_organisation", "slas_progress"}


def test_the_tracking_page_writes_nothing(sides: Sides) -> None:
    with scope(Scope.parcel(sides.parcel.pk)):
        for table in sides.tables:
            assert affected(f"DELETE FROM {table}") == 0, table
        taken = {table for table in sides.tables if takes(table, f"SELECT * FROM copy_of_{table}")}
    assert taken == EVERYBODY_INSERTS


def test_a_user_sees_own_memberships_and_a_key_itself(sides: Sides) -> None:
    member = User.objects.get(email="courier_agent@alliance.example")
    with scope(Scope.user(member.pk)):
        assert count("alliance_member") == count("alliance_member", f"user_id = {member.pk}") == 1
        assert list(Organisation.objects.values_list("pk", flat=True)) == [sides.courier]
        shown = {table for table in sides.tables if count(table)}
    assert shown == {"alliance_member", "alliance_organisation"}
    with scope(Scope.key(sides.prefix)):
        assert list(ApiKey.objects.values_list("prefix", flat=True)) == [sides.prefix]
        assert list(Organisation.objects.values_list("pk", flat=True)) == [sides.courier]
        shown = {table for table in sides.tables if count(table)}
    assert shown == {"alliance_apikey", "alliance_organisation"}


# --- the role itself ---


def test_the_role_of_the_tests_passes_the_check() -> None:
    assert checks.role_is_bound_by_policies(None, ["default"]) == []


@pytest.mark.parametrize(("is_exempt", "owns"), [(True, False), (False, True), (True, True)])
def test_a_role_that_policies_do_not_bind_is_refused(
    monkeypatch: pytest.MonkeyPatch, *, is_exempt: bool, owns: bool
) -> None:
    cursor = MagicMock()
    cursor.__enter__.return_value.fetchone.return_value = ("boss", is_exempt, owns)
    connection = MagicMock(cursor=lambda: cursor, settings_dict={"USER": "boss"})
    monkeypatch.setattr(checks, "connections", {"default": connection})
    [error] = checks.role_is_bound_by_policies(None, ["default"])
    assert error.id == "alliance.E001"
    assert "boss" in error.msg


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE parcels_parcel DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE parcels_parcel NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY parcels_parcel_read ON parcels_parcel",
        "ALTER POLICY parcels_parcel_read ON parcels_parcel USING (true)",
        "CREATE POLICY all_of_it ON parcels_parcel FOR SELECT USING (true)",
        "ALTER TABLE parcels_parcel DISABLE TRIGGER ALL",
        "ALTER TABLE parcels_parcel OWNER TO CURRENT_USER",
        "TRUNCATE parcels_parcel",
        "DROP TABLE slas_watchitem",
        "CREATE TABLE of_my_own (id int)",
        "CREATE FUNCTION of_my_own() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TRIGGER of_my_own AFTER INSERT ON parcels_scan EXECUTE FUNCTION slas_refuse_transition()",
        "CREATE ROLE another",
        "ALTER ROLE CURRENT_USER BYPASSRLS",
        "SET SESSION AUTHORIZATION {owner}",
        "SET ROLE {owner}",
        "SET ROLE pg_read_all_data",
        "SET session_replication_role = replica",
        "DELETE FROM django_migrations",
        "COPY parcels_parcel TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
def test_the_servers_role_owns_nothing_and_becomes_nobody_else(statement: str) -> None:
    owner = connection.ops.quote_name(settings.OWNER_DATABASE["USER"])
    with (
        pytest.raises(DatabaseError, match=r"must be owner|permission denied|must be able to"),
        transaction.atomic(),
    ):
        raw_rows(statement.format(owner=owner))


@pytest.mark.parametrize(
    ("table", "day", "storage"),
    [
        ("alliance_user", "2050-01-01", ""),
        ("no_such_table", "2050-01-01", ""),
        ("parcels_parcel", "2050-01-02", ""),
        ("parcels_parcel", "2050-01-01", "fillfactor = 70) ; DROP TABLE slas_watchitem; --"),
        ("parcels_parcel; DROP TABLE slas_watchitem; --", "2050-01-01", ""),
    ],
)
def test_what_makes_months_makes_nothing_else(table: str, day: str, storage: str) -> None:
    with pytest.raises(DatabaseError, match=r"no month|no storage parameters"), transaction.atomic():
        raw_rows("SELECT alliance_make_month(%s, %s, %s)", [table, day, storage])
