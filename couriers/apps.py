from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from alliance.database.placements import register_tables
from alliance.periodic_tasks import SCHEDULE
from alliance.personal_data import register_columns
from alliance.portal.badges import FAMILIES
from alliance.portal.navigation import LINKED_PAGES, register_menu
from couriers.periodic_tasks import PERIODIC_TASKS
from couriers.personal_data import PERSONAL_DATA
from couriers.placements import PLACEMENTS
from couriers.portal.badges import BADGES
from couriers.portal.menu import MENU, PAGES


class CouriersConfig(AppConfig):
    name = "couriers"
    verbose_name = _("Couriers")

    def ready(self) -> None:
        # Models need the app registry.
        from alliance.database.distribution.holders import READERS as READERS_OF_HOMES  # noqa: PLC0415
        from alliance.stored_files import KINDS as FILE_KINDS  # noqa: PLC0415
        from couriers.homes.queries import holders  # noqa: PLC0415
        from couriers.stored_files import STORED_FILES  # noqa: PLC0415

        FILE_KINDS.register(STORED_FILES)
        READERS_OF_HOMES.append(holders)
        SCHEDULE.register(PERIODIC_TASKS)
        register_columns(PERSONAL_DATA)
        register_tables(PLACEMENTS)
        register_menu(*MENU)
        FAMILIES.register(BADGES)
        LINKED_PAGES.register(PAGES)
