from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from alliance.periodic_tasks import SCHEDULE
from alliance.personal_data import register_columns
from couriers.periodic_tasks import PERIODIC_TASKS
from couriers.personal_data import PERSONAL_DATA


class CouriersConfig(AppConfig):
    name = "couriers"
    verbose_name = _("Couriers")

    def ready(self) -> None:
        SCHEDULE.register(PERIODIC_TASKS)
        register_columns(PERSONAL_DATA)
