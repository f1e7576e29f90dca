from typing import ClassVar

from django.db import migrations

from alliance.database.live_policies import hide_tests, refuse_tests
from alliance.sandboxes import OFFSET

OWN = "{scope} = 'all' OR {scope} = 'merchant:' || merchant_id"
# Workers read the events of sandboxes, too, to send them to webhooks. Some events are of no merchant.
LIVE = f"(merchant_id IS NULL OR merchant_id < {OFFSET})"
ANY = f"{OWN} OR ({{scope}} = 'courier:' || courier_id AND {{live}})"


class Migration(migrations.Migration):
    """No courier reads what happened to a test parcel, or gets to know the merchant by it."""

    dependencies: ClassVar[list[tuple[str, str]]] = [("alliance", "0026_call_log")]
    operations: ClassVar[list[migrations.RunSQL]] = [
        hide_tests(
            "alliance_event", live=LIVE, instead=dict.fromkeys(("read", "insert", "update", "delete"), ANY)
        ),
        refuse_tests(
            "alliance_acquaintance",
            instead={
                "insert": "({scope} = 'all' OR {scope} = 'merchant:' || merchant_id) AND {live}",
                "update": None,
            },
        ),
    ]
