"""Indexes by parts of names, and those of rare kinds: made beside writers, who may be millions of rows along."""

import django.db.models.deletion
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import migrations, models
from django.db.models import F, Func, Index, Q

from alliance.database.online_indexes import AddIndexConcurrently

NAME_AND_EMAIL = Func(F("name"), F("email"), template="(%(expressions)s)", arg_joiner=" || ' ' || ")
INDEXES: dict[str, list[Index]] = {
    "acquaintance": [Index(fields=["courier", "merchant"], name="acquaintance_by_courier")],
    "organisation": [
        GinIndex(OpClass(F("name"), "gin_trgm_ops"), name="organisation_by_part_of_name"),
        GinIndex(Func(F("name"), function="alliance_pieces"), name="organisation_by_piece_of_name"),
        Index(
            fields=["kind", "id"],
            condition=Q(kind__in=["courier", "operator"]),
            name="organisation_by_rare_kind",
        ),
        Index(
            fields=["status", "id"],
            condition=Q(status__in=["applicant", "suspended"]),
            name="organisation_by_rare_status",
        ),
    ],
    "user": [
        GinIndex(OpClass(NAME_AND_EMAIL, "gin_trgm_ops"), name="user_by_part_of_name"),
        GinIndex(Func(F("name"), function="alliance_pieces"), name="user_by_piece_of_name"),
        Index(fields=["id"], condition=Q(is_staff=True), name="user_is_staff"),
        Index(fields=["id"], condition=Q(is_active=False), name="user_is_inactive"),
    ],
}


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("alliance", "0009_functions_of_names")]

    operations = [
        *(
            AddIndexConcurrently(model_name=model, index=index)
            for model, indexes in INDEXES.items()
            for index in indexes
        ),
        # Django would drop the foreign key as well, and check every row to make it again.
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS alliance_acquaintance_courier_id_59317c37",
                    "CREATE INDEX alliance_acquaintance_courier_id_59317c37 ON alliance_acquaintance (courier_id)",
                )
            ],
            [
                migrations.AlterField(
                    model_name="acquaintance",
                    name="courier",
                    field=models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                )
            ],
        ),
    ]
