"""All columns that may hold free text, and whether they hold personal data.

Each app has a module of this name for its own columns; those of the kernel and of packages are here. A test
fails for any column of a model that is missing; `docs/retention.md` lists those with personal data. Columns
with choices need no entry.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from alliance.registry import Registry


class Holds(StrEnum):
    """What a column may hold, and how long it is kept."""

    # A recipient's data, or text and files that may name one: erased some time after a parcel's end.
    RECIPIENT = "recipient"
    # The account of a member or ops user: kept while the account exists.
    ACCOUNT = "account"
    # Contacts of a company: kept while it is a customer or an applicant.
    CONTACT = "contact"
    # Visits: deleted when their session has ended, or with the log of the day.
    VISIT = "visit"
    # Actions of users: kept as evidence, never about recipients.
    RECORD = "record"
    # No personal data.
    NOTHING = "nothing"


# app.Model.column -> what the column holds.
COLUMNS: Final[Registry[str, Holds]] = Registry("column")


def register_columns(columns: Mapping[Holds, str]) -> None:
    """Register an app's columns, given as names separated by white space for each kind of data."""
    for holds, names in columns.items():
        COLUMNS.register(dict.fromkeys(names.split(), holds))


PERSONAL_DATA: Final[dict[Holds, str]] = {
    Holds.RECIPIENT: """
        alliance.IdempotentRequest.answer
    """,
    Holds.ACCOUNT: """
        alliance.User.email alliance.User.name alliance.User.password
        account.EmailAddress.email account.EmailConfirmation.key
        alliance.ApiKey.name alliance.ApiKey.prefix alliance.ApiKey.secret_hash alliance.ApiKey.last_used_from
        alliance.Invitation.email
        alliance.SavedView.name alliance.SavedView.query
        alliance.OutgoingMail.to alliance.OutgoingMail.subject alliance.OutgoingMail.text
    """,
    Holds.CONTACT: """
        alliance.Contact.name alliance.Contact.phone alliance.Contact.email
    """,
    Holds.VISIT: """
        sessions.Session.session_key sessions.Session.session_data
        usersessions.UserSession.ip usersessions.UserSession.session_key
        usersessions.UserSession.user_agent usersessions.UserSession.data
        alliance.ApiCall.address alliance.ApiCall.path
    """,
    Holds.RECORD: """
        alliance.AuditEntry.actor_label alliance.AuditEntry.detail
        alliance.RetiredMonth.label
        admin.LogEntry.object_id admin.LogEntry.object_repr admin.LogEntry.change_message
    """,
    Holds.NOTHING: """
        alliance.ApiCall.method alliance.ApiCall.route alliance.ApiCall.request_id
        alliance.ApiCall.problem alliance.ApiCall.body
        alliance.ApiKey.networks alliance.ApiKey.resources
        alliance.AuditEntry.actor_kind alliance.AuditEntry.verb alliance.AuditEntry.object_type
        alliance.AuditEntry.object_id alliance.AuditEntry.request_id
        alliance.City.code alliance.City.name_en alliance.City.name_zh alliance.City.province_en
        alliance.City.province_zh alliance.City.country alliance.City.time_zone alliance.City.search_text
        alliance.Event.topic alliance.Event.payload
        alliance.Heartbeat.name alliance.Heartbeat.detail
        alliance.IdempotentRequest.route alliance.IdempotentRequest.key alliance.IdempotentRequest.body_hash
        alliance.Organisation.name alliance.Organisation.slug
        alliance.RetiredMonth.folder alliance.RetiredMonth.tables
        alliance.Organisation.label_size alliance.SavedView.listing
        alliance.User.language
        auth.Group.name auth.Permission.name auth.Permission.codename
        contenttypes.ContentType.app_label contenttypes.ContentType.model
        django_celery_beat.CrontabSchedule.minute django_celery_beat.CrontabSchedule.hour
        django_celery_beat.CrontabSchedule.day_of_month django_celery_beat.CrontabSchedule.month_of_year
        django_celery_beat.CrontabSchedule.day_of_week
        django_celery_beat.PeriodicTask.name django_celery_beat.PeriodicTask.task
        django_celery_beat.PeriodicTask.args django_celery_beat.PeriodicTask.kwargs
        django_celery_beat.PeriodicTask.queue django_celery_beat.PeriodicTask.exchange
        django_celery_beat.PeriodicTask.routing_key django_celery_beat.PeriodicTask.headers
        django_celery_beat.PeriodicTask.description
    """,
}
register_columns(PERSONAL_DATA)
