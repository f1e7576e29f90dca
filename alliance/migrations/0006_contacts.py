"""Narrower policies: contacts for their own organisation and ops, names for those one has to do with."""

import django.db.models.deletion
from django.db import migrations, models

from alliance.tenancy import SETTING, row_policy

SCOPE = f"nullif(current_setting('{SETTING}', true), '')"

# In PL/pgSQL, which keeps plans: it is asked for every name a courier reads. Runs with the rights and the scope of
# who asks. The scopes of a user and a key are read where there are members and keys; the others on any node.
KNOWS = """
CREATE FUNCTION alliance_knows(scope text, organisation bigint) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF scope LIKE 'courier:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_acquaintance
            WHERE merchant_id = organisation AND 'courier:' || courier_id = scope);
    ELSIF scope LIKE 'merchant:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_acquaintance
            WHERE courier_id = organisation AND 'merchant:' || merchant_id = scope);
    ELSIF scope LIKE 'user:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_member
            WHERE organisation_id = organisation AND 'user:' || user_id = scope);
    ELSIF scope LIKE 'key:%' THEN
        RETURN EXISTS (SELECT 1 FROM alliance_apikey
            WHERE organisation_id = organisation AND 'key:' || prefix = scope);
    END IF;
    RETURN false;
END
$$
"""

# Couriers are public by name, once they have joined: on tracking pages, and in quotes. Merchants are known to the
# couriers of their parcels, and organisations to their own people and keys.
ORGANISATIONS = f"""
ALTER POLICY alliance_organisation_read ON alliance_organisation USING (
    {SCOPE} = 'all' OR {SCOPE} = 'merchant:' || id OR {SCOPE} = 'courier:' || id
    OR (kind = 'courier' AND status <> 'applicant' AND {SCOPE} LIKE 'merchant:%')
    OR (kind = 'courier' AND {SCOPE} LIKE 'parcel:%')
    OR alliance_knows({SCOPE}, id)
)
"""
ORGANISATIONS_BEFORE = f"""
ALTER POLICY alliance_organisation_read ON alliance_organisation USING (
    {SCOPE} = 'all' OR {SCOPE} = 'merchant:' || id OR {SCOPE} = 'courier:' || id OR {SCOPE} LIKE 'user:%'
    OR (kind = 'courier' AND ({SCOPE} LIKE 'merchant:%' OR {SCOPE} LIKE 'parcel:%'))
    OR (kind = 'merchant' AND {SCOPE} LIKE 'courier:%') OR {SCOPE} LIKE 'key:%'
)
"""

# Nobody writes themselves, or anybody, into an organisation: only services that open the scope of everything.
OWN = (
    f"{SCOPE} = 'all' OR {SCOPE} = 'merchant:' || organisation_id OR {SCOPE} = 'courier:' || organisation_id"
)
MEMBERS = [
    f"ALTER POLICY alliance_member_insert ON alliance_member WITH CHECK ({SCOPE} = 'all')",
    f"ALTER POLICY alliance_member_update ON alliance_member USING ({OWN}) WITH CHECK ({OWN})",
    f"ALTER POLICY alliance_member_delete ON alliance_member USING ({OWN})",
]
BEFORE = f"{OWN} OR {SCOPE} = 'user:' || user_id"
MEMBERS_BEFORE = [
    f"ALTER POLICY alliance_member_insert ON alliance_member WITH CHECK ({BEFORE})",
    f"ALTER POLICY alliance_member_update ON alliance_member USING ({BEFORE}) WITH CHECK ({BEFORE})",
    f"ALTER POLICY alliance_member_delete ON alliance_member USING ({BEFORE})",
]


class Migration(migrations.Migration):
    dependencies = [("alliance", "0005_invitations")]

    operations = [
        migrations.CreateModel(
            name="Contact",
            fields=[
                (
                    "organisation",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="contact",
                        serialize=False,
                        to="alliance.organisation",
                        verbose_name="organisation",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=120, verbose_name="contact")),
                ("phone", models.CharField(blank=True, max_length=40, verbose_name="phone")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
            ],
            options={"verbose_name": "contact", "verbose_name_plural": "contacts"},
        ),
        row_policy("alliance_contact", merchant="organisation_id", courier="organisation_id"),
        migrations.CreateModel(
            name="Acquaintance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
                (
                    "courier",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="alliance.organisation",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("merchant", "courier"), name="acquaintance_once")
                ],
            },
        ),
        # A merchant's booking makes it known to a courier; no courier makes a merchant known to itself.
        row_policy(
            "alliance_acquaintance",
            merchant="merchant_id",
            courier="courier_id",
            instead={
                "insert": "{scope} = 'all' OR {scope} = 'merchant:' || merchant_id",
                "update": None,
                "delete": "{scope} = 'all'",
            },
        ),
        migrations.RunSQL(KNOWS, "DROP FUNCTION alliance_knows(text, bigint)"),
        migrations.RunSQL(ORGANISATIONS, ORGANISATIONS_BEFORE),
        migrations.RunSQL(MEMBERS, MEMBERS_BEFORE),
    ]
