"""The text columns of couriers and the personal data in them: see `alliance.personal_data`."""

from typing import Final

from alliance.personal_data import Holds

PERSONAL_DATA: Final[dict[Holds, str]] = {
    Holds.CONTACT: """
        couriers.Application.contact_name couriers.Application.contact_phone
        couriers.Application.contact_email
        couriers.ApplicationEvent.reason
        couriers.ChangeRequest.note couriers.ChangeRequest.reason
        couriers.Document.file couriers.Document.name
    """,
    Holds.RECORD: """
        couriers.ApplicationEvent.actor_label
    """,
    Holds.NOTHING: """
        couriers.Application.legal_name couriers.Application.credit_code couriers.Application.permit_number
        couriers.Application.language
        couriers.ChangeRequest.before couriers.ChangeRequest.values
        couriers.Courier.legal_name couriers.Courier.credit_code couriers.Courier.permit_number
        couriers.Document.content_type couriers.Document.sha256
        couriers.Facility.name
    """,
}
