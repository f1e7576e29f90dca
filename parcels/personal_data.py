"""Which personal data the text columns of parcels contain: see `alliance.personal_data`."""

from typing import Final

from alliance.personal_data import Holds

PERSONAL_DATA: Final[dict[Holds, str]] = {
    Holds.RECIPIENT: """
        parcels.Parcel.recipient_name parcels.Parcel.recipient_phone parcels.Parcel.recipient_address
        parcels.Parcel.sender_name parcels.Parcel.sender_phone parcels.Parcel.sender_address
        parcels.ReturnRequest.note parcels.ReturnRequest.answer
        parcels.BookingFile.content
        parcels.Scan.facility parcels.ScanFile.content
        parcels.Manifest.merchant_remark parcels.Manifest.courier_remark
        parcels.SavedRecipient.name parcels.SavedRecipient.phone parcels.SavedRecipient.digits
        parcels.SavedRecipient.address parcels.SavedRecipient.remark parcels.SavedRecipient.digest
        parcels.ShopMessage.body parcels.ShopMessage.detail
    """,
    Holds.CONTACT: """
        parcels.PickupAddress.name parcels.PickupAddress.address
        parcels.PickupAddress.contact_name parcels.PickupAddress.contact_phone
        parcels.Pickup.note parcels.Pickup.answer parcels.Pickup.move_note
    """,
    Holds.ACCOUNT: """
        parcels.WebhookEndpoint.code parcels.WebhookEndpoint.url parcels.WebhookEndpoint.description
        parcels.WebhookSecret.sealed parcels.WebhookSecret.ending
        parcels.WebhookDelivery.log
        parcels.ConnectedShop.key parcels.ConnectedShop.name parcels.ConnectedShop.sealed
    """,
    # A merchant's reference is its order number; scans, events and exports use tracking numbers only.
    Holds.NOTHING: """
        parcels.Parcel.reference parcels.Parcel.rule_name
        parcels.ReturnPolicy.note
        parcels.DryRun.language parcels.DryRun.problem parcels.DryRun.rules parcels.DryRun.result
        parcels.Manifest.language parcels.Manifest.problem parcels.Manifest.missing parcels.Manifest.extra
        parcels.Manifest.refused parcels.Manifest.removed
        parcels.FreightStatement.settled_reference parcels.FreightStatement.settled_note
        parcels.Surcharge.reason parcels.Surcharge.parcel_number
        parcels.Scan.reason parcels.Scan.event_id
        parcels.ScanFile.name parcels.ScanFile.encoding parcels.ScanFile.language
        parcels.ScanFile.problem
        parcels.RecipientProof.by_address
        parcels.WebhookEndpoint.topics parcels.WebhookEndpoint.reference_prefix
        parcels.WebhookDelivery.topic parcels.WebhookDelivery.payload
        parcels.WebhookReplay.language parcels.WebhookReplay.problem
        parcels.ConnectedShop.prefix parcels.ConnectedShop.language parcels.ShopOrder.key
        parcels.ShopMessage.delivery parcels.ShopMessage.topic parcels.ShopMessage.number
        parcels.ShopMessage.reason parcels.ShopMessage.columns
        parcels.BookingFile.name parcels.BookingFile.digest parcels.BookingFile.encoding
        parcels.BookingFile.language parcels.BookingFile.problem
        parcels.BookingTemplate.name parcels.BookingTemplate.header_key
        parcels.BookingTemplate.columns parcels.BookingTemplate.values
    """,
}
