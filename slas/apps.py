from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from alliance.database.placements import register_tables
from alliance.database.table_storage import PARAMETERS
from alliance.key_scopes import ROUTES as SCOPES_OF_ROUTES
from alliance.periodic_tasks import SCHEDULE
from alliance.personal_data import register_columns
from alliance.portal.badges import FAMILIES
from alliance.portal.navigation import register_menu
from slas.api.key_scopes import ROUTES
from slas.periodic_tasks import PERIODIC_TASKS
from slas.personal_data import PERSONAL_DATA
from slas.placements import PLACEMENTS
from slas.portal.badges import BADGES
from slas.table_storage import TABLE_STORAGE


class SlasConfig(AppConfig):
    """Tiers, offers, promises, commitments and on-time rates."""

    name = "slas"
    verbose_name = _("Service levels")

    def ready(self) -> None:
        # Models need the app registry.
        from alliance.database.distribution.plan import PREPARATIONS as BEFORE_DISTRIBUTING  # noqa: PLC0415
        from alliance.database.stored_functions import STATEMENTS  # noqa: PLC0415
        from alliance.health import QUEUES  # noqa: PLC0415
        from alliance.portal.palette import FINDERS as PALETTE_FINDERS  # noqa: PLC0415
        from alliance.portal.view_lists import VIEW_LISTS as LISTS_WITH_VIEWS  # noqa: PLC0415
        from alliance.stored_files import KINDS as FILE_KINDS  # noqa: PLC0415
        from slas.commitments.sql_settling import SETTLING  # noqa: PLC0415
        from slas.credits.sql_checks import CHECK_GROWN, TAKE_CHECKS  # noqa: PLC0415
        from slas.forecasts.curves import READ_CURVES  # noqa: PLC0415
        from slas.forecasts.sql import PROGRESS  # noqa: PLC0415
        from slas.forecasts.sql_watch import CANDIDATES, CLEAR, STORE  # noqa: PLC0415
        from slas.models import CreditCheck, ProgressTally, Tally  # noqa: PLC0415
        from slas.offers.sql import MARKET, RESERVE, RESERVE_OR_FAIL  # noqa: PLC0415
        from slas.portal.finders import FINDERS  # noqa: PLC0415
        from slas.portal.menu import MENU  # noqa: PLC0415
        from slas.portal.view_lists import VIEW_LISTS  # noqa: PLC0415
        from slas.rates.services.traffic import PREPARATIONS  # noqa: PLC0415
        from slas.rates.sql import TALLIES  # noqa: PLC0415
        from slas.stored_files import STORED_FILES  # noqa: PLC0415

        FILE_KINDS.register(STORED_FILES)
        QUEUES.register({"tallies": Tally, "progress": ProgressTally, "credit_checks": CreditCheck})
        STATEMENTS += [READ_CURVES, MARKET, RESERVE, RESERVE_OR_FAIL, *SETTLING, TALLIES.take, PROGRESS.take]
        STATEMENTS += [CANDIDATES, CLEAR, STORE, TAKE_CHECKS, CHECK_GROWN]
        BEFORE_DISTRIBUTING.register(PREPARATIONS)
        SCHEDULE.register(PERIODIC_TASKS)
        register_columns(PERSONAL_DATA)
        register_tables(PLACEMENTS)
        PARAMETERS.register(TABLE_STORAGE)
        register_menu(*MENU)
        FAMILIES.register(BADGES)
        SCOPES_OF_ROUTES.register(ROUTES)
        LISTS_WITH_VIEWS.register(VIEW_LISTS)
        PALETTE_FINDERS.register(FINDERS)
