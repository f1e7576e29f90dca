import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from alliance.tenancy import row_policy

CONCATENATED = "CREATE AGGREGATE slas_concatenated(int[]) (sfunc = array_cat, stype = int[])"
NOT_CONCATENATED = "DROP AGGREGATE slas_concatenated(int[])"

# What the bins hold goes where it is kept from now on; a bin of nothing is nothing.
KEEP = """
    SET LOCAL alliance.scope = 'all';
    UPDATE slas_ontimerate r SET marks = b.marks
    FROM (
        SELECT organisation_id, counterpart_id, kind, tier_id, origin_id, destination_id, due_date,
            array_agg((measure * 1000 + bin) * sign(count)::int) AS marks
        FROM slas_histogrambin, generate_series(1, abs(count))
        WHERE measure < 100
        GROUP BY organisation_id, counterpart_id, kind, tier_id, origin_id, destination_id, due_date
    ) b
    WHERE r.organisation_id = b.organisation_id AND r.due_date = b.due_date AND r.kind = b.kind
        AND r.tier_id = b.tier_id AND r.counterpart_id IS NOT DISTINCT FROM b.counterpart_id
        AND r.origin_id = b.origin_id AND r.destination_id = b.destination_id;
    INSERT INTO slas_progress (courier_id, due_date, tier_id, origin_id, destination_id, marks, counts)
    SELECT organisation_id, due_date, tier_id, origin_id, destination_id,
        array_agg(measure * 1000 + bin), array_agg(count)
    FROM slas_histogrambin WHERE measure >= 100 AND count <> 0
    GROUP BY organisation_id, due_date, tier_id, origin_id, destination_id;
    INSERT INTO slas_overduecount (organisation_id, counterpart_id, kind, overdue)
    SELECT organisation_id, counterpart_id, kind, sum(overdue) FROM slas_ontimerate
    GROUP BY organisation_id, counterpart_id, kind HAVING sum(overdue) <> 0;
    INSERT INTO slas_progresstally (courier_id, tier_id, origin_id, destination_id, due_date, marks)
    SELECT courier_id, tier_id, origin_id, destination_id, due_date, progress
    FROM slas_tally, LATERAL (
        SELECT array_agg(mark) FILTER (WHERE abs(mark) >= 100000) AS progress FROM unnest(marks) AS m (mark)
    ) x WHERE progress IS NOT NULL;
    UPDATE slas_tally SET marks = (
        SELECT array_agg(mark) FROM unnest(marks) AS m (mark) WHERE abs(mark) < 100000
    ) WHERE marks IS NOT NULL;
"""

VIEW = """
    DROP TABLE slas_histogrambin;
    CREATE VIEW slas_histogrambin WITH (security_invoker = true) AS
        SELECT id, organisation_id, counterpart_id, kind, tier_id, origin_id, destination_id, due_date,
            (abs(mark) / 1000)::smallint AS measure, (abs(mark) % 1000)::smallint AS bin,
            sign(mark)::int AS count
        FROM slas_ontimerate, unnest(marks) AS m (mark);
"""

STORAGE = """
    ALTER TABLE slas_progress SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
    ALTER TABLE slas_overduecount SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
    ALTER TABLE slas_progresstally SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
"""


def dimension(to: str, name: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(
        to,
        on_delete=django.db.models.deletion.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
        verbose_name=name,
        **options,
    )


def lane_and_day() -> list[tuple[str, models.Field]]:
    return [
        ("courier", dimension("couriers.courier", "courier")),
        ("tier", dimension("slas.servicetier", "tier")),
        ("origin", dimension("alliance.city", "from")),
        ("destination", dimension("alliance.city", "to")),
        ("due_date", models.DateField(verbose_name="due date")),
    ]


class Migration(migrations.Migration):
    dependencies = [("slas", "0020_names_of_counts")]

    operations = [
        migrations.RunSQL(CONCATENATED, NOT_CONCATENATED),
        migrations.AddField(
            model_name="ontimerate",
            name="marks",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.IntegerField(), null=True, size=None
            ),
        ),
        migrations.RemoveIndex(model_name="ontimerate", name="on_time_rate_overdue"),
        migrations.CreateModel(
            name="OverdueCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("organisation", dimension("alliance.organisation", "organisation")),
                ("counterpart", dimension("couriers.courier", "courier", null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                        max_length=10,
                        verbose_name="milestone",
                    ),
                ),
                ("overdue", models.IntegerField()),
            ],
            options={
                "verbose_name": "overdue count",
                "verbose_name_plural": "overdue counts",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organisation", "kind", "counterpart"),
                        name="overdue_count_of",
                        nulls_distinct=False,
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProgressTally",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                *lane_and_day(),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
            ],
            options={"verbose_name": "progress tally", "verbose_name_plural": "progress tallies"},
        ),
        migrations.CreateModel(
            name="Progress",
            fields=[
                *lane_and_day(),
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "courier_id",
                        "due_date",
                        "tier_id",
                        "origin_id",
                        "destination_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "marks",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
                (
                    "counts",
                    django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None),
                ),
            ],
            options={
                "verbose_name": "progress",
                "verbose_name_plural": "progress",
                "indexes": [
                    models.Index(
                        fields=["origin", "destination", "tier", "due_date"], name="progress_by_lane"
                    )
                ],
            },
        ),
        row_policy(
            "slas_overduecount",
            merchant="organisation_id",
            courier="organisation_id",
            also_read="{scope} = 'courier:' || counterpart_id",
            own_writes=False,
        ),
        row_policy("slas_progresstally", courier="courier_id"),
        # How long couriers take on a lane is what arrivals are forecast from, on the tracking page too.
        row_policy(
            "slas_progress",
            courier="courier_id",
            also_read="{scope} LIKE 'merchant:%' OR {scope} LIKE 'parcel:%'",
            own_writes=False,
        ),
        migrations.RunSQL(STORAGE, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP, migrations.RunSQL.noop),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(VIEW)],
            state_operations=[
                migrations.DeleteModel(name="HistogramBin"),
                migrations.CreateModel(
                    name="HistogramBin",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        (
                            "kind",
                            models.CharField(
                                choices=[("pickup", "Pickup"), ("delivery", "Delivery")],
                                max_length=10,
                                verbose_name="milestone",
                            ),
                        ),
                        ("due_date", models.DateField(verbose_name="due date")),
                        (
                            "measure",
                            models.SmallIntegerField(
                                choices=[
                                    (1, "Lateness"),
                                    (2, "Exempt breaches by reason"),
                                    (100, "How early or late, by progress before the promised time"),
                                ],
                                verbose_name="measure",
                            ),
                        ),
                        ("bin", models.SmallIntegerField(verbose_name="bin")),
                        ("count", models.IntegerField(verbose_name="count")),
                    ],
                    options={
                        "verbose_name": "histogram bin",
                        "verbose_name_plural": "histogram bins",
                        "managed": False,
                    },
                ),
            ],
        ),
    ]
