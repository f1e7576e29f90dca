"""Users, organisations, members and API keys."""

from typing import Any, ClassVar, Final

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.auth.password_validation import validate_password
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Func
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from alliance import audit
from alliance.choices import Capability, InvitationState, OrganisationKind, OrganisationStatus, Role
from alliance.database.written_once import WrittenOnce
from alliance.key_scopes import words_of
from alliance.members.querysets import (
    ApiKeyQuerySet,
    InvitationQuerySet,
    MemberQuerySet,
    OrganisationQuerySet,
)
from alliance.public_ids import IdKind, public_id
from alliance.sandboxes import is_sandbox
from alliance.tenancy import Actor, Scope, scope
from alliance.wording import listed


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **extra: Any) -> "User":
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **extra: Any) -> "User":
        """Create a user who may do everything, and the audit entry of it.

        Raises ValidationError for a weak password: Django's command would take any from the environment.
        """
        if password is not None:
            validate_password(password, self.model(email=email))
        with scope(Scope.everything()):
            user = self.create_user(email, password, is_staff=True, is_superuser=True, **extra)
            audit.record(
                actor=Actor.command_line(),
                verb="user.added",
                object_type="user",
                object_id=user.pk,
                detail={"email": user.email, "is_superuser": True},
            )
        return user

    def get(self, *args: Any, **kwargs: Any) -> "User":
        if args or [*kwargs] != ["pk"]:
            return super().get(*args, **kwargs)
        # Once for each page that a user asks for.
        found = _BY_KEY.rows(self.model._meta.pk.to_python(kwargs["pk"]))
        if not found:
            raise self.model.DoesNotExist
        return found[0]

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").lower())


_BY_KEY: Final = WrittenOnce(lambda pk: User.objects.filter(pk=pk))
_NAME_AND_EMAIL: Final = Func(F("name"), F("email"), template="(%(expressions)s)", arg_joiner=" || ' ' || ")


class User(AbstractBaseUser, PermissionsMixin):
    """A user who logs in with an e-mail address. Staff are the alliance's ops."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_staff = models.BooleanField(_("operations staff"), default=False)
    is_active = models.BooleanField(_("active"), default=True)
    date_joined = models.DateTimeField(_("joined"), default=timezone.now)
    # The language of mails that no page of the user triggers: that of the last log-in.
    language = models.CharField(_("language"), max_length=10, default="en")
    # What the request has read of them.
    memberships_read: "list[Member] | None" = None

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # So that one address is one account however it is typed, and is found by the column's index.
            models.CheckConstraint(name="user_email_in_lower_case", condition=models.Q(email=Lower("email"))),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # For alliance_users_named: by three letters and more, and by fewer.
            GinIndex(OpClass(_NAME_AND_EMAIL, "gin_trgm_ops"), name="user_by_part_of_name"),
            GinIndex(Func(F("name"), function="alliance_pieces"), name="user_by_piece_of_name"),
            # For the filters of ops' list, and the few who get mails about the alliance.
            models.Index(fields=["id"], condition=models.Q(is_staff=True), name="user_is_staff"),
            models.Index(fields=["id"], condition=models.Q(is_active=False), name="user_is_inactive"),
        ]

    def __str__(self) -> str:
        return self.name or self.email


class Organisation(models.Model):
    """A tenant: a courier company, a merchant, or the alliance's operator."""

    kind = models.CharField(_("kind"), max_length=10, choices=OrganisationKind)
    status = models.CharField(
        _("status"), max_length=10, choices=OrganisationStatus, default=OrganisationStatus.ACTIVE
    )
    name = models.CharField(_("name"), max_length=200)
    slug = models.SlugField(_("short name"), max_length=80, unique=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    # On what it prints its labels: see parcels.labels.rules.
    label_size = models.CharField(_("size of labels"), max_length=8, default="76x130", db_default="76x130")

    objects = models.Manager.from_queryset(OrganisationQuerySet)()

    class Meta:
        verbose_name = _("organisation")
        verbose_name_plural = _("organisations")
        # See STAFF_CAPABILITIES; migrations give them to groups.
        permissions: ClassVar[list[tuple[str, Any]]] = [
            ("operate", _("Can run the alliance")),
            ("look_up", _("Can look up parcels and rates")),
            ("keep_books", _("Can see fees and statements")),
        ]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="organisation_kind_known", condition=models.Q(kind__in=OrganisationKind.values)
            ),
            models.CheckConstraint(
                name="organisation_status_known", condition=models.Q(status__in=OrganisationStatus.values)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # For alliance_organisations_named: by three letters and more, and by fewer.
            GinIndex(OpClass(F("name"), "gin_trgm_ops"), name="organisation_by_part_of_name"),
            GinIndex(Func(F("name"), function="alliance_pieces"), name="organisation_by_piece_of_name"),
            # For the filters of ops' list: what is rare. Of the others, the newest rows are soon found.
            models.Index(
                fields=["kind", "id"],
                condition=models.Q(kind__in=[OrganisationKind.COURIER, OrganisationKind.OPERATOR]),
                name="organisation_by_rare_kind",
            ),
            models.Index(
                fields=["status", "id"],
                condition=models.Q(status__in=[OrganisationStatus.APPLICANT, OrganisationStatus.SUSPENDED]),
                name="organisation_by_rare_status",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """The id of the courier or merchant outside; the operator is told to nobody."""
        is_courier = self.kind == OrganisationKind.COURIER
        return public_id(IdKind.COURIER if is_courier else IdKind.MERCHANT, self.pk)


class Member(models.Model):
    """A user's role in an organisation."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(_("role"), max_length=10, choices=Role)
    created_at = models.DateTimeField(_("since"), default=timezone.now)

    objects = models.Manager.from_queryset(MemberQuerySet)()

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organisation", "user"], name="member_once_an_organisation"),
            models.CheckConstraint(name="member_role_known", condition=models.Q(role__in=Role.values)),
        ]

    def __str__(self) -> str:
        return f"{self.user} ({self.get_role_display()})"


class Contact(models.Model):
    """Whom to talk to at an organisation. Its own people and ops read it, nobody else."""

    organisation = models.OneToOneField(
        Organisation,
        models.PROTECT,
        primary_key=True,
        related_name="contact",
        verbose_name=_("organisation"),
    )
    name = models.CharField(_("contact"), max_length=120, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")

    def __str__(self) -> str:
        return self.name


class Acquaintance(models.Model):
    """A merchant and a courier that have parcels in common: the courier may read the merchant's name."""

    # The constraint's index begins with it.
    merchant = models.ForeignKey(Organisation, models.PROTECT, related_name="+", db_index=False)
    courier = models.ForeignKey(Organisation, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["merchant", "courier"], name="acquaintance_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # A courier's merchants, newest first, for alliance_organisations_named.
            models.Index(fields=["courier", "merchant"], name="acquaintance_by_courier"),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.courier_id}"


class Invitation(models.Model):
    """An offer of a role, sent to an e-mail address. Only who reads its mails can accept it."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="invitations")
    # In lower case.
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=10, choices=Role)
    state = models.CharField(
        _("state"), max_length=10, choices=InvitationState, default=InvitationState.PENDING
    )
    invited_by = models.ForeignKey(User, models.PROTECT, related_name="+", verbose_name=_("invited by"))
    created_at = models.DateTimeField(_("sent"), default=timezone.now)
    expires_at = models.DateTimeField(_("valid until"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    objects = models.Manager.from_queryset(InvitationQuerySet)()

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organisation", "email"],
                condition=models.Q(state=InvitationState.PENDING),
                name="invitation_one_pending_an_address",
            ),
            models.CheckConstraint(
                name="invitation_state_known", condition=models.Q(state__in=InvitationState.values)
            ),
            models.CheckConstraint(name="invitation_role_known", condition=models.Q(role__in=Role.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # For the limits a day, and for clean-up.
            models.Index(fields=["created_at"], name="invitation_by_time"),
            # For those that wait for a user.
            models.Index(fields=["email"], name="invitation_by_email"),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.get_role_display()})"


class ApiKey(models.Model):
    """A secret that lets a program act for an organisation. Only its hash is stored."""

    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="api_keys", verbose_name=_("organisation")
    )
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(_("prefix"), max_length=12, unique=True)
    secret_hash = models.CharField(max_length=64)
    # Capabilities. Of a key with resources, all that these give anywhere: processes of a release before read
    # nothing else.
    scopes = ArrayField(models.CharField(max_length=24, choices=Capability), verbose_name=_("scopes"))
    # Scopes by resource, as in alliance.key_scopes; NULL for a key whose capabilities hold everywhere.
    resources = ArrayField(models.CharField(max_length=40), null=True, verbose_name=_("scopes by resource"))
    # A key never may more than its creator may now. PROTECT: without a creator it would lose that limit, as
    # keys that programs created have none.
    created_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    # The first moment at which it works no more; NULL: never.
    expires_at = models.DateTimeField(_("valid until"), null=True, blank=True)
    # How many days before the end the last mail about it was written.
    warned_days = models.SmallIntegerField(null=True)
    # Addresses and networks that it may be used from; NULL: any.
    networks = ArrayField(models.CharField(max_length=43), null=True, verbose_name=_("addresses"))
    # When another key took its place; until `expires_at` both work.
    rotated_at = models.DateTimeField(_("rotated"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    last_used_from = models.GenericIPAddressField(_("last used from"), null=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    objects = models.Manager.from_queryset(ApiKeyQuerySet)()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        indexes: ClassVar[list[models.Index]] = [
            # For mails about those that end soon.
            models.Index(
                fields=["expires_at"],
                condition=models.Q(revoked_at=None, rotated_at=None),
                name="apikey_by_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def beginning(self) -> str:
        """What its secret begins with, by which people know it: ca_test_ for a key of a sandbox."""
        return f"ca_test_{self.prefix}" if is_sandbox(self.organisation_id) else f"ca_{self.prefix}"

    @property
    def permissions(self) -> str:
        """What it may do, in words."""
        if self.resources is not None:
            return listed(map(words_of, self.resources))
        return listed(str(Capability(scope).label) for scope in self.scopes)
