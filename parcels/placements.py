"""Where the tables of parcels are on a cluster."""

from typing import Final

from alliance.database.placements import Placements

PLACEMENTS: Final = Placements(
    by_parcel={
        "parcels_parcel": "id",
        "parcels_recipientproof": "parcel_id",
        "parcels_returnrequest": "parcel_id",
        "parcels_scan": "parcel_id",
        "parcels_webhookdelivery": "parcel_id",
    },
    local=(
        "parcels_bookingfile",
        "parcels_bookingtemplate",
        "parcels_connectedshop",
        "parcels_dryrun",
        "parcels_manifest",
        "parcels_freightday",
        "parcels_freightmonth",
        "parcels_freightstatement",
        "parcels_freightsum",
        "parcels_merchant",
        "parcels_parcelstory",
        "parcels_pickup",
        "parcels_pickupaddress",
        "parcels_returnpolicy",
        "parcels_savedrecipient",
        "parcels_scanfile",
        "parcels_shopmessage",
        "parcels_shoporder",
        "parcels_surcharge",
        "parcels_webhookendpoint",
        "parcels_webhookhour",
        "parcels_webhookreplay",
        "parcels_webhooksecret",
    ),
)
