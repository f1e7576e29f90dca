"""Stories under way."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from alliance.models import Organisation
from alliance.tenancy import Actor, TenantQuerySet
from parcels.choices import Story
from slas.columns import dimension


class StoryQuerySet(TenantQuerySet):
    def visible_to_member(self, actor: Actor) -> Self:
        return self.filter(merchant_id=actor.organisation_id)


class ParcelStory(models.Model):
    """A test parcel on its way through a story: what it has been through, and when it goes on."""

    # Its column is named otherwise than those that a cluster divides by: stories are on the coordinator.
    parcel_id = models.BigIntegerField(primary_key=True, db_column="id")
    # The sandbox.
    merchant = dimension(Organisation, "merchant")
    story = models.CharField(max_length=20, choices=Story)
    began_at = models.DateTimeField()
    # How many of its steps were recorded.
    step = models.PositiveSmallIntegerField(default=0)
    # When the next step happens; NULL after the last one.
    due_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(StoryQuerySet)()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="parcel_story_known", condition=Q(story__in=Story.values)),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Those that go on now.
            models.Index(fields=["due_at"], name="parcel_story_due", condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.parcel_id} {self.story}"
