from django.db import migrations

# Deliveries of parcels that were on their way back before this was kept with the delivery.
TURNED = """
UPDATE slas_commitment c SET turned_at = s.turned_at
FROM parcels_parcel p, LATERAL (
    SELECT min(occurred_at) AS turned_at FROM parcels_scan
    WHERE parcel_id = p.id AND code IN ('return_started', 'returned')
) s
WHERE p.status IN ('returning', 'returned') AND c.parcel_id = p.id AND c.kind = 'delivery'
    AND c.turned_at IS NULL
"""


class Migration(migrations.Migration):
    dependencies = [("parcels", "0009_verbose_names"), ("slas", "0012_turned_at")]

    operations = [migrations.RunSQL(TURNED, migrations.RunSQL.noop)]
