"""Migrations while the release before serves: what is refused, indexes beside writers, waits for locks."""

from collections.abc import Callable, Iterator
from importlib import import_module

import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as django_migrate
from django.db import IntegrityError, connection, migrations, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from alliance.database.online_indexes import AddIndexConcurrently, AddIndexToMonths
from alliance.database.online_keys import AddParcelToKey
from alliance.database.owner import as_owner
from alliance.database.partitions import months_of
from alliance.management.commands import migrate
from alliance.management.commands.lint_migrations import new_migrations, problems_of
from alliance.models import Event
from alliance.tenancy import Scope, raw_rows, scope
from tests import factories
from tests.helpers.owner import execute_as_owner

INDEX = models.Index(fields=["deliver_by", "id"], name="parcel_due")
NAMES = models.Index(fields=["name", "id"], name="organisation_named")


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None, replace_migrations=False)


@pytest.fixture(scope="module")
def state(loader: MigrationLoader) -> ProjectState:
    return loader.project_state()


def migration(app: str, *operations: Operation, atomic: bool = True, **ignore: str) -> migrations.Migration:
    made = migrations.Migration("a_test", app)
    made.operations, made.atomic = list(operations), atomic
    made.lint_ignore = {rule.replace("_", "-"): reason for rule, reason in ignore.items()}  # type: ignore[attr-defined]
    return made


def rules(state: ProjectState, made: migrations.Migration) -> set[str]:
    return {problem.rule for problem in problems_of(made, state.clone())}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("operation", "rule"),
    [
        (migrations.AddIndex("organisation", NAMES), "require-concurrent-index-creation"),
        (migrations.AddIndex("parcel", INDEX), "require-concurrent-index-creation"),
        (migrations.RemoveField("organisation", "name"), "ban-drop-column"),
        (migrations.RenameField("organisation", "name", "title"), "renaming-column"),
        (
            migrations.AlterField("organisation", "name", models.CharField(max_length=20)),
            "changing-column-type",
        ),
        # The default goes at once, and the release before does not know the column.
        (
            migrations.AddField("organisation", "rank", models.IntegerField(default=0)),
            "ban-drop-default",
        ),
        (
            migrations.AddConstraint(
                "organisation", models.CheckConstraint(condition=~models.Q(name="-"), name="no_dash")
            ),
            "constraint-missing-not-valid",
        ),
        (
            migrations.AddField(
                "organisation",
                "city",
                models.ForeignKey("alliance.city", models.PROTECT, null=True, db_index=False),
            ),
            "adding-foreign-key-constraint",
        ),
        (migrations.RunSQL("UPDATE alliance_organisation SET name = upper(name)"), "rows-in-migration"),
        (migrations.RunPython(migrations.RunPython.noop), "python-in-migration"),
    ],
)
def test_migration_that_holds_others_up_is_refused(
    state: ProjectState, operation: Operation, rule: str
) -> None:
    app = "parcels" if getattr(operation, "model_name", "") == "parcel" else "alliance"
    assert rule in rules(state, migration(app, operation))
    allowed = migration(app, operation, **{rule.replace("-", "_"): "a small table"})
    assert rule not in rules(state, allowed)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("organisation", "rank", models.IntegerField(null=True)),
        migrations.AddField("organisation", "rank", models.IntegerField(db_default=0)),
        migrations.CreateModel(
            "Note",
            [
                ("id", models.BigAutoField(primary_key=True)),
                ("organisation", models.ForeignKey("alliance.organisation", models.PROTECT)),
            ],
        ),
    ],
)
def test_migration_that_holds_nobody_up_passes(state: ProjectState, operation: Operation) -> None:
    assert rules(state, migration("alliance", operation)) == set()


@pytest.mark.django_db(transaction=True)
def test_indexes_made_beside_writers_pass(state: ProjectState) -> None:
    named, due = AddIndexConcurrently("organisation", NAMES), AddIndexToMonths("parcel", INDEX)
    assert rules(state, migration("alliance", named, atomic=False)) == set()
    assert rules(state, migration("parcels", due, atomic=False)) == set()


@pytest.mark.django_db(transaction=True)
def test_migrations_since_the_last_release_hold_nobody_up(loader: MigrationLoader) -> None:
    for made in new_migrations(loader):
        before = loader.project_state((made.app_label, made.name), at_end=False)
        assert problems_of(made, before) == []


def apply(app: str, operation: Operation, state: ProjectState) -> None:
    after = state.clone()
    operation.state_forwards(app, after)
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards(app, editor, state, after)


def undo(app: str, operation: Operation, state: ProjectState) -> None:
    after = state.clone()
    operation.state_forwards(app, after)
    with connection.schema_editor(atomic=False) as editor:
        operation.database_backwards(app, editor, after, state)


def validity(name: str) -> bool | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [name])
        row = cursor.fetchone()
    return row[0] if row else None


@pytest.mark.django_db(transaction=True)
def test_index_is_made_in_every_month_and_goes_on_where_it_was_interrupted(state: ProjectState) -> None:
    state = state.clone()
    operation = AddIndexToMonths("parcel", INDEX)
    months = months_of("parcels_parcel")
    with as_owner(), connection.cursor() as cursor:
        try:
            cursor.execute("CREATE INDEX parcel_due ON ONLY parcels_parcel (deliver_by, id)")
            assert validity("parcel_due") is False
            apply("parcels", operation, state)
            assert validity("parcel_due") is True
            assert all(validity(f"parcels_parcel_{month}_parcel_due") for month in months)
            apply("parcels", operation, state)
        finally:
            undo("parcels", operation, state)
        assert validity("parcel_due") is None


@pytest.mark.django_db(transaction=True)
def test_unfinished_index_is_made_anew(state: ProjectState) -> None:
    state = state.clone()
    operation = AddIndexConcurrently("organisation", NAMES)
    factories.merchant_organisation("Lotus Tea")
    factories.merchant_organisation("Bamboo Books")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")
        try:
            with pytest.raises(IntegrityError):
                cursor.execute(
                    "CREATE UNIQUE INDEX CONCURRENTLY organisation_named ON alliance_organisation ((1))"
                )
            assert validity("organisation_named") is False
            apply("alliance", operation, state)
            assert validity("organisation_named") is True
            apply("alliance", operation, state)
            cursor.execute("SHOW lock_timeout")
            assert cursor.fetchone() == ("2s",)
        finally:
            undo("alliance", operation, state)
    assert validity("organisation_named") is None


@pytest.mark.one_server("it ran before the table was distributed: there a key has the parcel")
@pytest.mark.django_db(transaction=True)
def test_parcel_is_taken_into_the_key_and_goes_on_where_it_was_interrupted(state: ProjectState) -> None:
    operation = AddParcelToKey("revision")
    with as_owner(), connection.cursor() as cursor:
        undo("slas", operation, state)
        try:
            assert key_of("slas_revision") == "PRIMARY KEY (id)"
            # An attempt was killed between the index and the swap.
            cursor.execute("CREATE UNIQUE INDEX slas_revision_next_key ON slas_revision (id, parcel_id)")
        finally:
            apply("slas", operation, state)
        assert key_of("slas_revision") == "PRIMARY KEY (id, parcel_id)"
        apply("slas", operation, state)
    assert validity("slas_revision_pkey") is True
    assert validity("slas_revision_next_key") is None


@pytest.mark.django_db(transaction=True)
def test_parcel_is_in_the_key_of_a_new_table(state: ProjectState) -> None:
    table = migrations.CreateModel(
        "Parking", [("id", models.BigAutoField(primary_key=True)), ("parcel_id", models.BigIntegerField())]
    )
    made = migration("slas", table, AddParcelToKey("parking"), ban_drop_constraint="a new table")
    assert rules(state, made) == set()
    with as_owner(), connection.schema_editor() as editor:
        made.apply(state.clone(), editor)
        assert key_of("slas_parking") == "PRIMARY KEY (id, parcel_id)"
        transaction.set_rollback(True)


@pytest.mark.one_server("it ran before the table was distributed: there a parcel is never NULL")
@pytest.mark.django_db
def test_events_without_a_parcel_are_numbered_in_slices(
    loader: MigrationLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    [name] = [name for _app, name in loader.disk_migrations if name.endswith("key_of_events")]
    migration = import_module(f"alliance.migrations.{name}")
    monkeypatch.setattr(migration, "SLICE", 2)
    for change in (
        "DROP CONSTRAINT alliance_event_pkey",
        "ALTER COLUMN parcel_id DROP NOT NULL",
        "DISABLE TRIGGER event_of_no_parcel",
    ):
        execute_as_owner(f"ALTER TABLE alliance_event {change}")
    with scope(Scope.everything()):
        raw_rows(
            "INSERT INTO alliance_event (topic, at, parcel_id, payload)"
            " SELECT 'a test', now(), nullif(n % 3, 0), '{}' FROM generate_series(1, 9) AS n RETURNING 1"
        )
    migration.number_events_of_no_parcel(None, None)
    with scope(Scope.everything()):
        assert list(Event.objects.order_by("pk").values_list("parcel_id", flat=True)) == [1, 2, 0] * 3


def key_of(table: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conrelid = to_regclass(%s) AND contype = 'p'",
            [table],
        )
        return str(cursor.fetchone()[0])


class Lock:
    """Django's `migrate`, as one that needs a lock; somebody who writes holds it until an attempt."""

    def __init__(self, *, free_at: int) -> None:
        self.attempts, self.free_at = 0, free_at
        self.writer = connection.copy()

    def __call__(self, *_arguments: object, **_options: object) -> None:
        self.attempts += 1
        if self.attempts == self.free_at:
            self.writer.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '10ms'; LOCK TABLE alliance_city IN SHARE MODE")


@pytest.fixture
def migrating(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lock]]:
    """Have `migrate` try three times for a lock, which is free at one of them."""
    locks: list[Lock] = []

    def start(*, free_at: int) -> Lock:
        lock = Lock(free_at=free_at)
        locks.append(lock)
        lock.writer.set_autocommit(False)
        with lock.writer.cursor() as cursor:
            cursor.execute("LOCK TABLE alliance_city IN ROW EXCLUSIVE MODE")
        monkeypatch.setattr(django_migrate.Command, "handle", lock)
        monkeypatch.setattr(migrate, "ATTEMPTS", 3)
        monkeypatch.setattr(migrate, "PAUSE", 0)
        return lock

    yield start
    for lock in locks:
        lock.writer.close()


@pytest.mark.django_db(transaction=True)
def test_migrate_lets_writers_go_first_and_tries_again(
    migrating: Callable[..., Lock], capsys: pytest.CaptureFixture[str]
) -> None:
    lock = migrating(free_at=3)
    call_command("migrate")
    assert lock.attempts == 3
    assert "Waiting for a lock, attempt 2 of 3" in capsys.readouterr().err


@pytest.mark.django_db(transaction=True)
def test_migrate_that_gets_no_lock_says_where_to_look(migrating: Callable[..., Lock]) -> None:
    migrating(free_at=0)
    with pytest.raises(CommandError, match="No lock in 3 attempts.*pg_stat_activity"):
        call_command("migrate")
