"""Row-level security: who sees which row, and who writes it."""

from django.db import migrations

from alliance.tenancy import row_policy


class Migration(migrations.Migration):
    dependencies = [("alliance", "0001_schema")]

    operations = [
        # Counterparts learn each other's names; a user learns the names of the organisations joined; whoever
        # is looked up by a key is looked up with the organisation it belongs to.
        row_policy(
            "alliance_organisation",
            merchant="id",
            courier="id",
            also_read=(
                "{scope} LIKE 'user:%'"
                " OR (kind = 'courier' AND ({scope} LIKE 'merchant:%' OR {scope} LIKE 'parcel:%'))"
                " OR (kind = 'merchant' AND {scope} LIKE 'courier:%')"
                " OR {scope} LIKE 'key:%'"
            ),
        ),
        row_policy("alliance_member", merchant="organisation_id", courier="organisation_id", user="user_id"),
        row_policy("alliance_apikey", merchant="organisation_id", courier="organisation_id", key="prefix"),
        # Whoever asks in any scope adds entries. Nobody changes one, and only workers and ops delete: a
        # statement without a WHERE asks no other policy than that of its command.
        row_policy(
            "alliance_auditentry",
            merchant="organisation_id",
            courier="organisation_id",
            also_write="{scope} IS NOT NULL",
            instead={"update": None, "delete": "{scope} = 'all'"},
        ),
        row_policy("alliance_event", merchant="merchant_id", courier="courier_id"),
        row_policy("alliance_idempotentrequest", merchant="organisation_id", courier="organisation_id"),
    ]
