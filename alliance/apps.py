from pathlib import Path

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class AllianceConfig(AppConfig):
    name = "alliance"
    verbose_name = _("Alliance")

    def ready(self) -> None:
        # Importing registers the system checks, and makes ours the current Celery application.

        from alliance import celery, checks  # noqa: F401, PLC0415 -- they need the app registry
        from alliance.api.sql import CLAIM_KEY  # noqa: PLC0415
        from alliance.database import owner, partitions, placements, stored_functions  # noqa: PLC0415
        from alliance.database.distribution import following  # noqa: PLC0415
        from alliance.database.lists_at_home import ROWS_AT_HOME  # noqa: PLC0415
        from alliance.database.together import SAY_TOGETHER  # noqa: PLC0415
        from alliance.members.services.log_ins import note_language, note_moment  # noqa: PLC0415
        from alliance.members.sql import KEY_HOLDER  # noqa: PLC0415
        from alliance.placements import PLACEMENTS  # noqa: PLC0415
        from alliance.remembered_texts import remember_texts  # noqa: PLC0415
        from alliance.thread_locals import use_plain_thread_locals  # noqa: PLC0415
        from alliance.web.sessions import begin_session  # noqa: PLC0415

        use_plain_thread_locals()
        remember_texts()
        stored_functions.STATEMENTS += [CLAIM_KEY, KEY_HOLDER, ROWS_AT_HOME, SAY_TOGETHER]
        placements.register_tables(PLACEMENTS)
        user_logged_in.connect(note_language, dispatch_uid="note_language")
        # In place of Django's own, which is connected later under this name.
        user_logged_in.connect(note_moment, dispatch_uid="update_last_login")
        user_logged_in.connect(begin_session, dispatch_uid="begin_session")
        post_migrate.connect(following.place_misplaced, sender=self, dispatch_uid="place_misplaced")
        post_migrate.connect(stored_functions.install_all, sender=self, dispatch_uid="install_statements")
        post_migrate.connect(owner.grant_to_server, sender=self, dispatch_uid="grant_to_server")
        post_migrate.connect(partitions.set_storage, sender=self, dispatch_uid="set_storage")
        post_migrate.connect(following.follow, sender=self, dispatch_uid="follow")

        Path(settings.FILE_UPLOAD_TEMP_DIR).mkdir(parents=True, exist_ok=True)


class AllianceAdminConfig(AdminConfig):
    default_site = "alliance.admin_site.OpsSite"

    def ready(self) -> None:
        super().ready()
        from django.contrib import admin  # noqa: PLC0415 -- the registry is filled only now

        from alliance import admin_accounts, admin_records  # noqa: F401, PLC0415 -- register their pages
        from alliance.admin_schedule import adopt_other_apps  # noqa: PLC0415

        adopt_other_apps(admin.site)
