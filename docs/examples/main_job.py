"""Quote, book, label, scan, track and read rates, with a client made by openapi-python-client.

URL=http://127.0.0.1:8000 MERCHANT_KEY=ca_... COURIER_KEY=ca_... python main_job.py FOLDER
"""

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from courier_alliance import AuthenticatedClient
from courier_alliance.api.booking import parcels_create, quotes_create
from courier_alliance.api.exports import exports_create, exports_file, exports_retrieve
from courier_alliance.api.labels import parcels_label
from courier_alliance.api.rates import rates_list
from courier_alliance.api.scans import scans_create
from courier_alliance.api.scorecards import scorecards_list
from courier_alliance.api.tracking import tracking_retrieve
from courier_alliance.models import (
    BookingRequest,
    ExportContent,
    ExportFormat,
    ExportRequest,
    ExportState,
    QuoteRequest,
    RecipientRequest,
    ScanCode,
    ScanRequest,
)

URL = os.environ["URL"]
merchant = AuthenticatedClient(URL, os.environ["MERCHANT_KEY"])
courier = AuthenticatedClient(URL, os.environ["COURIER_KEY"])
folder = Path(sys.argv[1])


def done(answer: Any) -> Any:
    """What a call was answered; a refusal says why."""
    if answer.status_code >= HTTPStatus.BAD_REQUEST:
        raise SystemExit(f"{answer.status_code.value}: {answer.parsed.detail}")
    return answer.parsed


lane = {"origin": "CN-HGH", "destination": "CN-CTU", "weight_g": 800}
quote = done(quotes_create.sync_detailed(client=merchant, body=QuoteRequest(**lane)))
offer = quote.offers[0]
print(f"{offer.courier_name} promises {offer.promise.current} for {offer.price} {quote.currency}")

recipient = RecipientRequest(name="王小明", phone="13812345678", address="人民南路四段12号")
booking = BookingRequest(**lane, tier=offer.tier, courier=offer.courier, recipient=recipient)
booked = done(
    parcels_create.sync_detailed(client=merchant, body=booking, idempotency_key=str(time.time_ns()))
)
number = booked.tracking_number

label = done(parcels_label.sync_detailed(number, client=merchant))
(folder / "label.pdf").write_bytes(label.payload.read())

now = datetime.now(UTC)
scans = [
    ScanRequest(tracking_number=number, code=ScanCode.PICKED_UP, occurred_at=now),
    ScanRequest(tracking_number=number, code=ScanCode.DELIVERED, occurred_at=now + timedelta(minutes=1)),
]
report = done(scans_create.sync_detailed(client=courier, body=scans))
print(f"{report.accepted} scans accepted, {report.rejected} rejected")

tracked = done(tracking_retrieve.sync_detailed(number, client=merchant))
print(f"{number}: {tracked.status.value}, promised {tracked.promise.current}")

rates = done(rates_list.sync_detailed(client=courier))
print(f"on time: {rates.totals.raw_rate} of {rates.totals.n}")
cards = done(scorecards_list.sync_detailed(client=courier))
print(f"scorecards: {len(cards.results)}")

day = now.date()
wanted = ExportRequest(
    content=ExportContent.COMMITMENTS, format_=ExportFormat.CSV, from_=day, to=day + timedelta(days=14)
)
export = done(exports_create.sync_detailed(client=merchant, body=wanted))
deadline = time.monotonic() + 60
while export.state not in (ExportState.DONE, ExportState.FAILED) and time.monotonic() < deadline:
    time.sleep(0.5)
    export = done(exports_retrieve.sync_detailed(export.id, client=merchant))
if not export.file_url:
    raise SystemExit(f"The export is {export.state.value}: {export.problem}")
link = {name: values[0] for name, values in parse_qs(urlsplit(export.file_url).query).items()}
file = done(exports_file.sync_detailed(export.id, client=merchant, **link))
(folder / "commitments.csv").write_bytes(file.payload.read())
