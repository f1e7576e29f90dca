from datetime import date
from typing import Any

from django.db import migrations, models
from django.db.models import F, Q

# Spelled out and not imported: what version 1 said must not change when anything else does.
FIRST_MONTH = date(2016, 1, 1)
WEIGHTS = {
    "delivery_on_time": 40,
    "pickup_on_time": 15,
    "first_attempt": 15,
    "within_72h": 15,
    "lateness": 15,
}
BANDS = {
    "delivery_on_time": [[0.98, 100], [0.96, 90], [0.94, 80], [0.92, 65], [0.90, 50], [0.85, 25]],
    "pickup_on_time": [[0.99, 100], [0.98, 90], [0.96, 80], [0.94, 65], [0.90, 45], [0.85, 20]],
    "first_attempt": [[0.96, 100], [0.94, 90], [0.92, 75], [0.88, 50], [0.80, 25]],
    # China's benchmark was 83.95 % in 2024 [State Post Bureau].
    "within_72h": [[0.95, 100], [0.90, 90], [0.85, 75], [0.80, 55], [0.70, 25]],
    "lateness": [[0.005, 100], [0.01, 90], [0.02, 75], [0.03, 50], [0.05, 25]],
}
GRADES = {"gold": 85, "silver": 75, "member": 50}
MINIMUM_VOLUME = 100


def seed(apps: Any, schema_editor: Any) -> None:
    apps.get_model("slas", "ScoreRules").objects.get_or_create(
        number=1,
        defaults={
            "valid_from": FIRST_MONTH,
            "weights": WEIGHTS,
            "bands": BANDS,
            "grades": GRADES,
            "minimum_volume": MINIMUM_VOLUME,
            "note": "The first rules.",
        },
    )


GUARDS = """
    CREATE FUNCTION slas_keep_final_scorecard() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the scorecard of courier % for % is final', OLD.courier_id, OLD.month
            USING ERRCODE = 'check_violation', CONSTRAINT = 'scorecard_final';
    END $$;
    CREATE TRIGGER scorecard_final BEFORE UPDATE OR DELETE ON slas_scorecard
        FOR EACH ROW WHEN (OLD.frozen_at IS NOT NULL) EXECUTE FUNCTION slas_keep_final_scorecard();

    CREATE FUNCTION slas_keep_score_rules() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'version % of the scorecard rules is never edited', OLD.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'score_rules_kept';
    END $$;
    CREATE TRIGGER score_rules_kept BEFORE UPDATE ON slas_scorerules
        FOR EACH ROW EXECUTE FUNCTION slas_keep_score_rules();
"""
NO_GUARDS = """
    DROP TRIGGER score_rules_kept ON slas_scorerules;
    DROP FUNCTION slas_keep_score_rules();
    DROP TRIGGER scorecard_final ON slas_scorecard;
    DROP FUNCTION slas_keep_final_scorecard();
"""


class Migration(migrations.Migration):
    dependencies = [("slas", "0009_exports_in_slices")]

    operations = [
        migrations.AddIndex(
            model_name="scorecard",
            index=models.Index(fields=["month", "courier"], name="scorecard_by_month"),
        ),
        migrations.AddConstraint(
            model_name="scorecard",
            constraint=models.CheckConstraint(condition=Q(month__day=1), name="scorecard_of_a_month"),
        ),
        migrations.AddConstraint(
            model_name="scorecard",
            constraint=models.CheckConstraint(
                condition=Q(score=None) | Q(score__range=(0, 100)), name="scorecard_score_in_range"
            ),
        ),
        migrations.AddConstraint(
            model_name="scorecard",
            constraint=models.CheckConstraint(
                condition=Q(grade="", rank=None)
                | (
                    Q(
                        grade__in=["gold", "silver", "member", "probation"],
                        score__isnull=False,
                        rank__isnull=False,
                    )
                    & Q(rank__gte=1, rank__lte=F("ranked"))
                ),
                name="scorecard_graded_is_ranked",
            ),
        ),
        migrations.AddConstraint(
            model_name="scorerules",
            constraint=models.CheckConstraint(
                condition=Q(valid_from__day=1), name="score_rules_from_a_first"
            ),
        ),
        # Backwards keeps the rules: scorecards name them.
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
