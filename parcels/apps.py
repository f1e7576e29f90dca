from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from alliance.choices import OrganisationKind
from alliance.database.placements import register_tables
from alliance.database.table_storage import PARAMETERS
from alliance.key_scopes import ROUTES as SCOPES_OF_ROUTES
from alliance.periodic_tasks import SCHEDULE
from alliance.personal_data import register_columns
from alliance.portal.badges import FAMILIES
from alliance.portal.navigation import LINKED_PAGES, register_menu
from parcels.api.key_scopes import ROUTES
from parcels.periodic_tasks import PERIODIC_TASKS
from parcels.personal_data import PERSONAL_DATA
from parcels.placements import PLACEMENTS
from parcels.portal.badges import BADGES
from parcels.table_storage import TABLE_STORAGE


class ParcelsConfig(AppConfig):
    name = "parcels"
    verbose_name = _("Parcels")

    def ready(self) -> None:
        # Models need the app registry.
        from alliance.database.stored_functions import STATEMENTS  # noqa: PLC0415
        from alliance.health import CHECKS, MEASURES  # noqa: PLC0415
        from alliance.members.services.organisations import RECORD_CREATORS  # noqa: PLC0415
        from alliance.portal.palette import FINDERS as PALETTE_FINDERS  # noqa: PLC0415
        from alliance.portal.view_lists import VIEW_LISTS as LISTS_WITH_VIEWS  # noqa: PLC0415
        from alliance.stored_files import KINDS as FILE_KINDS  # noqa: PLC0415
        from parcels.booking_files.services.references import PARCELS_BY_REFERENCE  # noqa: PLC0415
        from parcels.bookings.services.addresses import create_merchant  # noqa: PLC0415
        from parcels.bookings.sql import (  # noqa: PLC0415
            BOOK_PARCELS,
            CANCEL_PARCELS,
            OPEN_BOOKING,
            PIECES_OF_ORDER,
            WRITE_BOOKINGS,
        )
        from parcels.labels.sql import NOTE_PRINTS  # noqa: PLC0415
        from parcels.manifests.sql import (  # noqa: PLC0415
            MANIFEST_COUNTS,
            MANIFEST_PARCELS,
            PUT_PARCELS,
            WAITING_PARCELS,
        )
        from parcels.pickups.sql import JOIN_PICKUP  # noqa: PLC0415
        from parcels.portal.finders import FINDERS  # noqa: PLC0415
        from parcels.portal.menu import MENU, PAGES  # noqa: PLC0415
        from parcels.portal.view_lists import VIEW_LISTS  # noqa: PLC0415
        from parcels.scans.sql import RECORD_SCANS  # noqa: PLC0415
        from parcels.scans.sql_lost import HOLD_PARCELS, SILENT_OR_FOUND  # noqa: PLC0415
        from parcels.scans.sql_refold import REFOLD_PARCELS  # noqa: PLC0415
        from parcels.scans.sql_repeats import STORED_SCANS  # noqa: PLC0415
        from parcels.scans.sql_single import RECORD_SCAN  # noqa: PLC0415
        from parcels.stored_files import STORED_FILES  # noqa: PLC0415
        from parcels.tracking.sql import TRACKED_PARCEL  # noqa: PLC0415
        from parcels.waiting.sql import HELD_PARCELS  # noqa: PLC0415
        from parcels.watch_list.sql import NEWS, SEEN, SIGHTINGS  # noqa: PLC0415
        from parcels.webhooks import health  # noqa: PLC0415
        from parcels.webhooks import sql as webhooks  # noqa: PLC0415

        FILE_KINDS.register(STORED_FILES)
        RECORD_CREATORS.register({OrganisationKind.MERCHANT: create_merchant})
        STATEMENTS += [
            BOOK_PARCELS,
            CANCEL_PARCELS,
            HELD_PARCELS,
            HOLD_PARCELS,
            JOIN_PICKUP,
            MANIFEST_COUNTS,
            MANIFEST_PARCELS,
            NEWS,
            NOTE_PRINTS,
            OPEN_BOOKING,
            PARCELS_BY_REFERENCE,
            PIECES_OF_ORDER,
            PUT_PARCELS,
            WRITE_BOOKINGS,
            RECORD_SCAN,
            RECORD_SCANS,
            REFOLD_PARCELS,
            SEEN,
            SIGHTINGS,
            SILENT_OR_FOUND,
            STORED_SCANS,
            TRACKED_PARCEL,
            WAITING_PARCELS,
            webhooks.FAN_OUT,
            webhooks.FORGET,
            webhooks.REPLAY,
            webhooks.STORE,
        ]
        CHECKS.register({"webhooks": health.check})
        MEASURES.register({"webhooks": health.measure})
        SCHEDULE.register(PERIODIC_TASKS)
        register_columns(PERSONAL_DATA)
        register_tables(PLACEMENTS)
        PARAMETERS.register(TABLE_STORAGE)
        register_menu(*MENU)
        FAMILIES.register(BADGES)
        SCOPES_OF_ROUTES.register(ROUTES)
        LINKED_PAGES.register(PAGES)
        LISTS_WITH_VIEWS.register(VIEW_LISTS)
        PALETTE_FINDERS.register(FINDERS)
