from django.db import migrations, models
from django.utils import timezone

# A statement is written when its month is closed, and stays as it is.
STATEMENTS = """
    DROP POLICY slas_statement_update ON slas_statement;
    DROP POLICY slas_statement_delete ON slas_statement;
"""
NO_STATEMENTS = """
    CREATE POLICY slas_statement_update ON slas_statement FOR UPDATE
        USING (nullif(current_setting('alliance.scope', true), '') = 'all');
    CREATE POLICY slas_statement_delete ON slas_statement FOR DELETE
        USING (nullif(current_setting('alliance.scope', true), '') = 'all');
"""
# Once a statement, not a row: entries are written thousands at a time.
CLOSED = """
    CREATE FUNCTION slas_refuse_closed_month() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (SELECT 1 FROM added JOIN slas_closedmonth USING (month)) THEN
            RAISE EXCEPTION 'credit entries go into open months only'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_entry_month_open';
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER credit_entry_month_open AFTER INSERT ON slas_creditentry
        REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION slas_refuse_closed_month();
"""
NOT_CLOSED = """
    DROP TRIGGER credit_entry_month_open ON slas_creditentry;
    DROP FUNCTION slas_refuse_closed_month();
"""


class Migration(migrations.Migration):
    dependencies = [("slas", "0012_customer_service")]

    operations = [
        migrations.AddField(
            model_name="creditentry",
            name="due_at",
            field=models.DateTimeField(verbose_name="promised", default=timezone.now),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="creditentry",
            name="reached_at",
            field=models.DateTimeField(null=True, verbose_name="reached"),
        ),
        migrations.AddIndex(
            model_name="commitment",
            index=models.Index(
                condition=models.Q(
                    ("delivered_at__isnull", True), ("kind", "delivery"), ("outcome__in", ["met", "late"])
                ),
                fields=["parcel_id"],
                name="commitment_attempted",
            ),
        ),
        migrations.AddIndex(
            model_name="commitment",
            index=models.Index(
                condition=models.Q(("lost_at__isnull", False)), fields=["parcel_id"], name="commitment_lost"
            ),
        ),
        migrations.RunSQL(STATEMENTS, NO_STATEMENTS),
        migrations.RunSQL(CLOSED, NOT_CLOSED),
    ]
