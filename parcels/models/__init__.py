"""What moves: merchants, parcels, scans, and the files they come in."""

from parcels.booking_files.models import BookingFile, BookingTemplate
from parcels.bookings.models import Merchant, Parcel, PickupAddress
from parcels.dry_runs.models import DryRun
from parcels.freight.models import FreightDay, FreightMonth, FreightStatement, FreightSum, Surcharge
from parcels.manifests.models import Manifest
from parcels.pickups.models import Pickup
from parcels.recipients.models import SavedRecipient
from parcels.returns.models import ReturnPolicy, ReturnRequest
from parcels.revisions.models import RecipientProof
from parcels.scan_files.models import ScanFile
from parcels.scans.models import Scan
from parcels.shops.models import ConnectedShop, ShopMessage, ShopOrder
from parcels.stories.models import ParcelStory
from parcels.webhooks.models import (
    WebhookDelivery,
    WebhookEndpoint,
    WebhookHour,
    WebhookReplay,
    WebhookSecret,
)

# Django looks for models here; each is in the file of its subject.
__all__ = [
    "BookingFile",
    "BookingTemplate",
    "ConnectedShop",
    "DryRun",
    "FreightDay",
    "FreightMonth",
    "FreightStatement",
    "FreightSum",
    "Manifest",
    "Merchant",
    "Parcel",
    "ParcelStory",
    "Pickup",
    "PickupAddress",
    "RecipientProof",
    "ReturnPolicy",
    "ReturnRequest",
    "SavedRecipient",
    "Scan",
    "ScanFile",
    "ShopMessage",
    "ShopOrder",
    "Surcharge",
    "WebhookDelivery",
    "WebhookEndpoint",
    "WebhookHour",
    "WebhookReplay",
    "WebhookSecret",
]
