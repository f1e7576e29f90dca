"""Where the tables of the kernel, of Django and of packages are on a cluster."""

from typing import Final

from alliance.database.placements import Placements

PLACEMENTS: Final = Placements(
    by_parcel={
        "alliance_event": "parcel_id",
    },
    reference=("alliance_city",),
    local=(
        "alliance_acquaintance",
        "alliance_apicall",
        "alliance_apikey",
        "alliance_auditentry",
        "alliance_contact",
        "alliance_heartbeat",
        "alliance_idempotentrequest",
        "alliance_invitation",
        "alliance_member",
        "alliance_organisation",
        "alliance_outgoingmail",
        "alliance_retiredmonth",
        "alliance_savedview",
        "alliance_user",
        "alliance_user_groups",
        "alliance_user_user_permissions",
        # Django's and those of packages.
        "account_emailaddress",
        "account_emailconfirmation",
        "auth_group",
        "auth_group_permissions",
        "auth_permission",
        "django_admin_log",
        "django_celery_beat_clockedschedule",
        "django_celery_beat_crontabschedule",
        "django_celery_beat_intervalschedule",
        "django_celery_beat_periodictask",
        "django_celery_beat_periodictasks",
        "django_celery_beat_solarschedule",
        "django_content_type",
        "django_migrations",
        "django_session",
        "usersessions_usersession",
    ),
)
