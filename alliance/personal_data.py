"""Every column that may hold what people write, and whether that is about a person.

A test walks all models and fails for a column that is not here; `docs/retention.md` lists those that are
about somebody. Columns whose values come from a closed list need no entry.
"""

from enum import StrEnum
from typing import Final


class Holds(StrEnum):
    """What a column may hold, and how long that is kept."""

    # A recipient's data, or text and files that may name one: erased after a parcel's end.
    RECIPIENT = "recipient"
    # A customer's or ops member's own account: while the account is there.
    ACCOUNT = "account"
    # The people a company names as its contacts: while it is a customer or an applicant.
    CONTACT = "contact"
    # Who visited from where: deleted after some days.
    VISIT = "visit"
    # Who did what: kept as evidence, never about recipients.
    RECORD = "record"
    # About no person.
    NOTHING = "nothing"


_NAMED: Final[dict[Holds, str]] = {
    Holds.RECIPIENT: """
        parcels.Parcel.recipient_name parcels.Parcel.recipient_phone parcels.Parcel.recipient_address
        slas.Excuse.note slas.Excuse.evidence slas.Excuse.evidence_name slas.Excuse.decision_note
        slas.Revision.reason
        alliance.IdempotentRequest.answer
        parcels.BookingFile.content
    """,
    Holds.ACCOUNT: """
        alliance.User.email alliance.User.name alliance.User.password
        account.EmailAddress.email account.EmailConfirmation.key
        alliance.ApiKey.name alliance.ApiKey.prefix alliance.ApiKey.secret_hash
        slas.Export.label slas.Revision.label
    """,
    Holds.CONTACT: """
        couriers.Application.contact_name couriers.Application.contact_phone
        couriers.Application.contact_email
        couriers.ApplicationEvent.reason
        couriers.Courier.contact_name couriers.Courier.contact_phone couriers.Courier.contact_email
        couriers.Document.file couriers.Document.name
        parcels.Merchant.contact_name parcels.Merchant.contact_phone
        parcels.PickupAddress.name parcels.PickupAddress.address
        parcels.PickupAddress.contact_name parcels.PickupAddress.contact_phone
    """,
    Holds.VISIT: """
        axes.AccessAttempt.user_agent axes.AccessAttempt.ip_address axes.AccessAttempt.username
        axes.AccessAttempt.http_accept axes.AccessAttempt.path_info axes.AccessAttempt.get_data
        axes.AccessAttempt.post_data
        axes.AccessFailureLog.user_agent axes.AccessFailureLog.ip_address axes.AccessFailureLog.username
        axes.AccessFailureLog.http_accept axes.AccessFailureLog.path_info
        axes.AccessLog.user_agent axes.AccessLog.ip_address axes.AccessLog.username
        axes.AccessLog.http_accept axes.AccessLog.path_info axes.AccessLog.session_hash
        sessions.Session.session_key sessions.Session.session_data
    """,
    Holds.RECORD: """
        alliance.AuditEntry.actor_label alliance.AuditEntry.detail
        alliance.RetiredMonth.label
        couriers.ApplicationEvent.actor_label
        admin.LogEntry.object_id admin.LogEntry.object_repr admin.LogEntry.change_message
    """,
    # A merchant's reference is its own order's number; scans, events and exports name parcels by number.
    Holds.NOTHING: """
        alliance.AuditEntry.actor_kind alliance.AuditEntry.verb alliance.AuditEntry.object_type
        alliance.AuditEntry.object_id alliance.AuditEntry.request_id
        alliance.City.code alliance.City.name_en alliance.City.name_zh alliance.City.province_en
        alliance.City.province_zh alliance.City.country alliance.City.time_zone alliance.City.search_text
        alliance.Event.topic alliance.Event.payload
        alliance.Heartbeat.name alliance.Heartbeat.detail
        alliance.IdempotentRequest.route alliance.IdempotentRequest.key alliance.IdempotentRequest.body_hash
        alliance.Organisation.name alliance.Organisation.slug
        alliance.RetiredMonth.folder alliance.RetiredMonth.tables
        auth.Group.name auth.Permission.name auth.Permission.codename
        contenttypes.ContentType.app_label contenttypes.ContentType.model
        couriers.Application.legal_name couriers.Application.credit_code couriers.Application.permit_number
        couriers.Application.language
        couriers.Courier.legal_name couriers.Courier.credit_code couriers.Courier.permit_number
        couriers.Document.content_type couriers.Document.sha256
        couriers.Facility.name
        django_celery_beat.CrontabSchedule.minute django_celery_beat.CrontabSchedule.hour
        django_celery_beat.CrontabSchedule.day_of_month django_celery_beat.CrontabSchedule.month_of_year
        django_celery_beat.CrontabSchedule.day_of_week
        django_celery_beat.PeriodicTask.name django_celery_beat.PeriodicTask.task
        django_celery_beat.PeriodicTask.args django_celery_beat.PeriodicTask.kwargs
        django_celery_beat.PeriodicTask.queue django_celery_beat.PeriodicTask.exchange
        django_celery_beat.PeriodicTask.routing_key django_celery_beat.PeriodicTask.headers
        django_celery_beat.PeriodicTask.description
        parcels.Parcel.reference
        parcels.Scan.reason parcels.Scan.facility parcels.Scan.event_id
        parcels.ScanFile.name parcels.ScanFile.content parcels.ScanFile.encoding parcels.ScanFile.language
        parcels.ScanFile.problem
        parcels.BookingFile.name parcels.BookingFile.digest parcels.BookingFile.encoding
        parcels.BookingFile.language parcels.BookingFile.problem
        slas.BreachListing.key slas.CommitmentListing.key
        slas.Closure.country slas.Closure.province slas.Closure.name
        slas.CreditSchedule.bands
        slas.Disruption.name slas.Disruption.country slas.Disruption.province
        slas.Export.language slas.Export.position slas.Export.file slas.Export.problem
        slas.ScoreRules.weights slas.ScoreRules.bands slas.ScoreRules.grades slas.ScoreRules.note
        slas.Scorecard.components
        slas.ServiceTier.name_en slas.ServiceTier.name_zh
        slas.TierVersion.cut_offs slas.TierVersion.delivery_weekdays slas.TierVersion.weight_bands
    """,
}
COLUMNS: Final[dict[str, Holds]] = {
    column: holds for holds, columns in _NAMED.items() for column in columns.split()
}
