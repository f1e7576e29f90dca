"""Settings of the courier alliance, every value from the environment.

With nothing set the project runs on its own embedded PostgreSQL and Valkey (see
`alliance.embedded`), which is what development and tests do.
"""

import os
import re
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _
from redis.backoff import NoBackoff
from redis.retry import Retry
from whitenoise.compress import Compressor

from alliance import embedded
from alliance.database.addresses import settings_of
from alliance.logs import logging_config
from alliance.secret_keys import weakness_of

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- the machine -----------------------------------------------------------------------------
HOME = embedded.home()
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY", default="") or embedded.secret_key()
if not DEBUG and (weakness := weakness_of(SECRET_KEY)):
    raise ImproperlyConfigured(f"SECRET_KEY {weakness}. Make one: openssl rand -base64 48")
# Former ones: what they signed or sealed is still read.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# Where links in mails lead, whatever address a request came by.
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000")
HTTPS = PUBLIC_URL.startswith("https://")

# --- applications ----------------------------------------------------------------------------
INSTALLED_APPS = [
    "alliance.apps.AllianceConfig",
    "couriers.apps.CouriersConfig",
    "slas.apps.SlasConfig",
    "parcels.apps.ParcelsConfig",
    # Without its own site: AllianceAdminConfig names ours.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "alliance.apps.AllianceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "django_celery_beat",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
]

# ProgramMiddleware answers calls of programs by itself; all the rest is for pages.
MIDDLEWARE = [
    "alliance.web.programs.ProgramMiddleware",
    "alliance.portal.readers.ReaderMiddleware",
    "alliance.web.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "alliance.web.answers.CompressMiddleware",
    "alliance.web.privacy.PrivacyHeadersMiddleware",
    "alliance.web.middleware.RequestIdMiddleware",
    "alliance.web.request_log.RequestLogMiddleware",
    "alliance.web.middleware.RetryAfterMiddleware",
    "alliance.web.devices.KnownDeviceMiddleware",
    "alliance.web.answers.ApiETagMiddleware",
    "alliance.web.answers.ApiSlashMiddleware",
    "alliance.portal.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "alliance.web.sessions.SessionLifetimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    # After the session middleware: it determines the actor by API key or session.
    "alliance.web.middleware.AdmissionMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    # Last: it calls the view inside the tenant's scope.
    "alliance.web.middleware.TenancyMiddleware",
]

# Pages that readers without a session get by the short way of programs (alliance/portal/readers.py).
READER_PATHS = re.compile(r"/track/([^/]+/)?")

ROOT_URLCONF = "alliance.urls"
WSGI_APPLICATION = "alliance.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "alliance.web.prepared_templates.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            # Its csrf_token also says for which organisation a form was opened.
            "builtins": ["alliance.templatetags.form_owner", "alliance.templatetags.dates"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "alliance.portal.context.portal",
            ],
        },
    },
]

# --- data ------------------------------------------------------------------------------------
DATABASE_URL = env("DATABASE_URL", default="")
DATABASES = {
    "default": {
        "ENGINE": "alliance.database.postgresql",
        **(settings_of("DATABASE_URL", DATABASE_URL) if DATABASE_URL else embedded.database_settings()),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        # PgBouncer pools by transaction, which server-side cursors may outlive.
        "DISABLE_SERVER_SIDE_CURSORS": True,
    },
}
# The owner of the tables (alliance/database/owner.py), for commands of an operator: nothing that serves
# requests or runs tasks is told of it. Connects directly where DATABASE_URL goes through a pooler.
OWNER_DATABASE = None if DATABASE_URL else embedded.owner_settings()
if "OWNER_DATABASE_URL" in env:
    OWNER_DATABASE = settings_of("OWNER_DATABASE_URL", env("OWNER_DATABASE_URL"))
# A superuser of a cluster's coordinator, for `shards add-node` and `shards drain` only.
SUPERUSER_DATABASE = None
if "SUPERUSER_DATABASE_URL" in env:
    SUPERUSER_DATABASE = settings_of("SUPERUSER_DATABASE_URL", env("SUPERUSER_DATABASE_URL"))
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env("REDIS_URL", default="") or embedded.redis_url()
# A hanging Redis must not make requests hang, and a failed command must not be retried.
REDIS_OPTIONS = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0, "retry": Retry(NoBackoff(), 0)}
CACHES = {
    "default": {
        "BACKEND": "alliance.web.caching.ForgivingCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": REDIS_OPTIONS,
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# Uploaded documents are private: they are served only by views that check permissions.
MEDIA_ROOT = Path(env("MEDIA_ROOT", default=str(HOME / "media")))
# Number of whole months before the current one that stay in the database.
RETENTION_MONTHS = env.int("RETENTION_MONTHS", default=13)
ARCHIVE_ROOT = Path(env("ARCHIVE_ROOT", default=str(HOME / "archive")))
# Days after a parcel's end until its recipient is erased; without an end, days after its last event.
ERASE_AFTER_DAYS = env.int("ERASE_AFTER_DAYS", default=90)
ERASE_UNENDED_AFTER_DAYS = env.int("ERASE_UNENDED_AFTER_DAYS", default=180)
# A recipient whom a merchant saved and did not use for this many days is deleted.
RECIPIENTS_KEPT_DAYS = env.int("RECIPIENTS_KEPT_DAYS", default=365)
# The outbox is read within minutes; older events are kept for investigations.
EVENTS_KEPT_DAYS = env.int("EVENTS_KEPT_DAYS", default=90)
# Invitations that were answered, withdrawn or have lapsed.
INVITATIONS_KEPT_DAYS = env.int("INVITATIONS_KEPT_DAYS", default=30)
# The largest ordinary request is a file of scans (40 MB); each endpoint has its own, smaller limit.
MAX_BODY_BYTES = 44 * 1024 * 1024
# Except for these, which accept a file of bookings (500 MB) from authenticated clients.
LARGE_BODY_PATHS = ("/bookings/upload/", "/api/v1/booking-files")
MAX_LARGE_BODY_BYTES = 504 * 1024 * 1024
# On the file system of MEDIA_ROOT, so that a file is moved by a rename. Not /tmp, which may be in memory.
FILE_UPLOAD_TEMP_DIR = MEDIA_ROOT / "incoming"
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
# A field for each of the thousand parcels that are cancelled at once, or of the 5,000 on a manifest.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 6_000

# Megabytes of free space below which a warning is logged, and below which the product is not ready.
DISK_WARN_MB = env.int("DISK_WARN_MB", default=2048)
DISK_FULL_MB = env.int("DISK_FULL_MB", default=32)
# Age of the last backup, and time that finished WAL waits for its archive: above the first a warning is
# logged, above the second the product is not ready. Neither counts before backups are set up.
BACKUP_WARN_HOURS = env.float("BACKUP_WARN_HOURS", default=26)
BACKUP_FAIL_HOURS = env.float("BACKUP_FAIL_HOURS", default=74)
ARCHIVE_WARN_SECONDS = env.float("ARCHIVE_WARN_SECONDS", default=300)
ARCHIVE_FAIL_SECONDS = env.float("ARCHIVE_FAIL_SECONDS", default=3600)

# --- who you are -----------------------------------------------------------------------------
AUTH_USER_MODEL = "alliance.User"
# One backend: each further one would hash a wrong password once more.
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "alliance.web.hashers.BoundedArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "alliance.passwords.GuessablePasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if HTTPS else "http"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_FORMS = {
    "login": "alliance.portal.account_forms.LoginForm",
    "signup": "alliance.portal.account_forms.SignupForm",
    "add_email": "alliance.portal.account_forms.AddEmailForm",
    "change_password": "alliance.portal.account_forms.ChangePasswordForm",
    "set_password": "alliance.portal.account_forms.SetPasswordForm",
    "reset_password": "alliance.portal.account_forms.ResetPasswordForm",
    "reset_password_from_key": "alliance.portal.account_forms.ResetPasswordKeyForm",
    "reauthenticate": "alliance.portal.account_forms.ReauthenticateForm",
}
# After confirmation in the browser of the sign-up, go on to the organisation's page without a log-in.
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
# Ask for the password before an address is added, made the main one or removed; it counts for five minutes.
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Tell the owner by mail what was changed: a new password, another main address (told to the old one).
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_ADAPTER = "alliance.portal.account_adapter.AccountAdapter"
# What sends mail, or asks for a form, by address and by the address typed in. Wrong passwords are counted by
# alliance.web.guesses instead: allauth's own limit would let anybody lock an account.
ACCOUNT_RATE_LIMITS = {
    "login_failed": None,
    "signup": "20/m/ip,100/d/ip",
    "reset_password": "20/m/ip,100/d/ip,5/10m/key,20/d/key",
    # Each added address gets a mail, whoever it belongs to.
    "manage_email": "10/m/user,30/d/user",
}
ACCOUNT_MAX_EMAIL_ADDRESSES = 5

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=False)
# Proxies of ours in front, each of which adds the address it saw to X-Forwarded-For.
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1) if BEHIND_PROXY else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "alliance.portal.errors.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [SELF],
    },
}

# --- language and time -----------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "build" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"
FORMAT_MODULE_PATH = ["alliance.formats"]

# --- pages -----------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "alliance" / "static", BASE_DIR / "build" / "static"]
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(HOME / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# In development, assets are served without collectstatic.
WHITENOISE_USE_FINDERS = DEBUG
# Pages link to hashed files only. Collecting without the unhashed ones, and without compressing source maps,
# takes a third of the time; it is part of the first start.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
# `manage.py up` sets it while it loads the demo alliance, so that pages show the progress.
DEMO_LOADING = env.bool("DEMO_LOADING", default=False)
# Serves a demo, whose passwords are public, to other machines.
PUBLIC_DEMO = env.bool("PUBLIC_DEMO", default=False)
CRISPY_ALLOWED_TEMPLATE_PACKS = CRISPY_TEMPLATE_PACK = "bootstrap5"
FORM_RENDERER = "alliance.web.form_renderer.FormRenderer"

# --- mail ------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Courier Alliance <no-reply@alliance.example>")
if "EMAIL_URL" in env:
    vars().update(env.email("EMAIL_URL"))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = str(HOME / "mail")
# For each step of sending a mail: Django waits for a server that hangs without a limit.
EMAIL_TIMEOUT = env.float("EMAIL_TIMEOUT", default=10.0)

# Invitations a day: of an organisation, by a user, and mails to one address. Beyond the last, the invitation
# waits on the page of the person invited without a mail.
INVITATIONS_OF_ORGANISATION = env.int("INVITATIONS_OF_ORGANISATION", default=30)
INVITATIONS_BY_USER = env.int("INVITATIONS_BY_USER", default=20)
INVITATIONS_TO_ADDRESS = env.int("INVITATIONS_TO_ADDRESS", default=5)

# A merchant in its first days may have only so many parcels waiting for pickup; 0: no limit.
NEW_MERCHANT_DAYS = env.int("NEW_MERCHANT_DAYS", default=30)
NEW_MERCHANT_PARCELS = env.int("NEW_MERCHANT_PARCELS", default=500)

# Webhooks: whether addresses may begin with http://, and be on this machine. For development and tests.
WEBHOOKS_OVER_HTTP = env.bool("WEBHOOKS_OVER_HTTP", default=False)
WEBHOOKS_TO_THIS_MACHINE = env.bool("WEBHOOKS_TO_THIS_MACHINE", default=False)

# --- tasks -----------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_TIME_LIMIT = 900
# A worker of its own: others are at work on files for a minute.
CELERY_TASK_ROUTES = {"parcels.tasks.deliver_webhooks": {"queue": "webhooks"}}
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# For ever: a worker that gives up waits for nobody to start it again.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# alliance.jobs does so itself: Celery would try for seconds inside a request.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Must exceed the longest task, or a running task would be delivered again.
    "visibility_timeout": 1800,
    # Without them, a command to a broker that hangs waits for ever. Longer than a worker's wait for tasks.
    "socket_timeout": 2.0,
    "socket_connect_timeout": 2.0,
    "socket_keepalive": True,
}
CELERY_BEAT_SCHEDULER = "alliance.beat:SteadyScheduler"
CELERY_TIMEZONE = TIME_ZONE

# --- API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["alliance.api.authentication.ActorAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [
        "alliance.api.authentication.IsMember",
        "alliance.api.parsing.WritesWithoutParameters",
    ],
    "DEFAULT_THROTTLE_CLASSES": ["alliance.api.throttling.KeyRateThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "alliance.api.negotiation.QuickNegotiation",
    "DEFAULT_PARSER_CLASSES": ["alliance.api.parsing.BoundedJSONParser"],
    "DEFAULT_METADATA_CLASS": "alliance.api.metadata.Methods",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "alliance.api.pagination.CursorPagination",
    "EXCEPTION_HANDLER": "alliance.api.errors.problem_response",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    # Disable DRF's parameter `format`, so that it is refused like any unknown parameter.
    "URL_FORMAT_OVERRIDE": None,
    "PAGE_SIZE": 50,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Courier Alliance API",
    "DESCRIPTION": "Quote, book and track parcels; send scans; read on-time rates.\n\n"
    "One thing has one name everywhere: ids have a prefix (`cou_`, `mer_`), moments have an offset, money is "
    f"a decimal text with its `currency`. [Names, and what changed]({PUBLIC_URL}/api/changes/)\n\n"
    "To try it: [requests for editors](/api/requests.http) (`.http`), or a"
    " [Postman collection](/api/postman.json). `GET /api/v1/` says what is there.\n\n"
    "Keys that begin with `ca_test_` book parcels that nobody carries: "
    f"[test mode]({PUBLIC_URL}/api/test-mode/).\n\n"
    f"Clients: `openapi-python-client generate --url {PUBLIC_URL}/api/schema/ --meta none`, or types by"
    f" `npx openapi-typescript {PUBLIC_URL}/api/schema/ -o alliance.d.ts --default-non-nullable false`.",
    "VERSION": "1.0.0",
    "EXTERNAL_DOCS": {"description": "Names, and what changed", "url": f"{PUBLIC_URL}/api/changes/"},
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "alliance.api.schema.KeptSchema",
    "SERVERS": [{"url": PUBLIC_URL}],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "alliance.api.schema.offer_bytes",
        "alliance.api.schema.require_bodies",
        "alliance.api.schema.describe_refusals",
        "alliance.api.schema.name_components",
    ],
    "ENUM_NAME_OVERRIDES": {
        "ExportContent": "slas.choices.ExportContent",
        "ExportFormat": "slas.choices.ExportFormat",
        "LabelFormat": "parcels.choices.LabelFormat",
        "LabelSize": "parcels.choices.LabelSize",
        "TierCode": "slas.choices.TierCode",
        "CommitmentKind": "slas.choices.CommitmentKind",
        "Outcome": "slas.choices.Outcome",
        "ScanCode": "parcels.choices.ScanCode",
        "ScanReason": "parcels.choices.ScanReason",
        "ParcelStatus": "parcels.choices.ParcelStatus",
        "ExportState": "slas.choices.ExportState",
        "RevisionParty": "slas.choices.RevisionParty",
        "ExcuseState": "slas.choices.ExcuseState",
        "ExcuseReason": "slas.choices.ExcuseReason",
        "Grade": "couriers.choices.Grade",
        "StatementState": ["open", "final"],
        "ScorecardState": "slas.choices.ScorecardState",
        "ReturnReason": "parcels.choices.ReturnReason",
        "ReturnState": "parcels.choices.ReturnState",
        "ManifestState": "parcels.choices.ManifestState",
        "PickupStage": "parcels.choices.PickupStage",
        "WebhookState": "parcels.choices.WebhookState",
        "WebhookCause": "parcels.choices.WebhookCause",
        "DeliveryState": "parcels.choices.DeliveryState",
        "ReplayKind": "parcels.choices.ReplayKind",
        "ReplayState": "parcels.choices.ReplayState",
        "FreightKind": "parcels.choices.FreightKind",
        "CreditCause": "slas.choices.CreditCause",
    },
}
# Calls per minute of one API key; a batch counts once.
API_RATE_PER_MINUTE = env.int("API_RATE_PER_MINUTE", default=1200)
TRACKING_RATE_PER_MINUTE = env.int("TRACKING_RATE_PER_MINUTE", default=60)
# Messages of one connected shop, and calls of its door from one address without a signature that fits.
SHOP_RATE_PER_MINUTE = env.int("SHOP_RATE_PER_MINUTE", default=600)
SHOP_REFUSALS_PER_MINUTE = env.int("SHOP_REFUSALS_PER_MINUTE", default=60)

# --- the request log of keys (docs/request-log.md gives the numbers) ---------------------------
# Days that calls are kept, and rows a second that all web processes write: of calls that succeed, and as many
# of those that fail. Beyond it a row stands for several calls.
CALL_LOG_DAYS = env.int("CALL_LOG_DAYS", default=7)
CALL_LOG_ROWS_PER_SECOND = env.int("CALL_LOG_ROWS_PER_SECOND", default=1_000)
# Of one web process: calls that wait to be written, and seconds between two writes; 0: there is no log.
CALL_LOG_BUFFER = env.int("CALL_LOG_BUFFER", default=10_000)
CALL_LOG_SECONDS = env.float("CALL_LOG_SECONDS", default=5.0)

# --- how much at once (docs/limits.md gives the reasons) ---------------------------------------
# Limits of a statement and of a lock wait in web requests; beyond them the response is 503.
WEB_STATEMENT_SECONDS = env.float("WEB_STATEMENT_SECONDS", default=20.0)
WEB_LOCK_SECONDS = env.float("WEB_LOCK_SECONDS", default=5.0)
# Of one web process: threads, concurrent heavy calls, places of heavy calls including waiting ones, places of
# one tenant, and the longest wait.
WEB_THREADS = env.int("WEB_THREADS", default=12)
WEB_HEAVY = env.int("WEB_HEAVY", default=2)
WEB_PLACES = env.int("WEB_PLACES", default=max(WEB_THREADS // 2, 1))
WEB_SHARE = env.int("WEB_SHARE", default=max(WEB_PLACES - 2, 1))
WEB_PATIENCE_SECONDS = env.float("WEB_PATIENCE_SECONDS", default=3.0)
# Calls with long bodies of one tenant that run at a time, in all web processes, while others call: on half of
# the machine's processors, as its database takes the other half.
WEB_TOGETHER = env.int("WEB_TOGETHER", default=max((os.cpu_count() or 1) // 2, 1))
# Passwords hashed at a time: each takes 100 MB.
WEB_HASHES = env.int("WEB_HASHES", default=2)
WEB_WORKBOOKS = env.int("WEB_WORKBOOKS", default=1)
# Requests with a body of at least this size are heavy.
HEAVY_BODY_BYTES = 1024 * 1024
# API writes with a body of at least this size, some hundred scans, are long.
LONG_BODY_BYTES = 16 * 1024

# Folds and sweeps are divided by courier into so many shares, which workers process concurrently.
WORK_SHARES = env.int("WORK_SHARES", default=2)

# --- money -----------------------------------------------------------------------------------
# The most that may be declared as the value of a parcel, in fen; a lost parcel is credited with it.
DECLARED_VALUE_LIMIT_FEN = env.int("DECLARED_VALUE_LIMIT_FEN", default=2_000_000)

# --- watching --------------------------------------------------------------------------------
# Opens /metrics and the details of /readyz to other machines; without it they are for this one only.
METRICS_TOKEN = env("METRICS_TOKEN", default="")
LOG_LEVEL = env("LOG_LEVEL", default="INFO")
LOGGING = logging_config(LOG_LEVEL, as_json=env.bool("LOG_JSON", default=not DEBUG))
DJANGO_STRUCTLOG_CELERY_ENABLED = True
SILENCED_SYSTEM_CHECKS: list[str] = []
UNFOLD = {
    "SITE_TITLE": _("Alliance operations"),
    "SITE_HEADER": _("Alliance operations"),
    "SITE_SYMBOL": "local_shipping",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/logo.svg")},
    ],
    "STYLES": [lambda request: static("css/admin.css")],
    "SCRIPTS": [lambda request: static("js/admin.js")],
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "parcels.admin_dashboard.dashboard",
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": True,
        "navigation": "parcels.admin_dashboard.navigation",
    },
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "#eef8f8",
            "100": "#d7eeef",
            "200": "#b0dddf",
            "300": "#7fc5c9",
            "400": "#48a5ab",
            "500": "#23888f",
            "600": "#0b6e75",
            "700": "#095b61",
            "800": "#08484d",
            "900": "#073b3f",
            "950": "#04272a",
        },
    },
}
