"""Begin stories, in the transaction that books their parcels."""

from collections.abc import Iterable
from datetime import datetime

from parcels.stories.models import ParcelStory
from parcels.stories.rules import due_of, story_of


def begin_stories(*, sandbox_id: int, references: Iterable[tuple[int, str]], at: datetime) -> None:
    """Begin the story of each test parcel, given with its reference, whose reference asks for one."""
    stories = [
        ParcelStory(
            parcel_id=parcel_id, merchant_id=sandbox_id, story=story, began_at=at, due_at=due_of(story, 0, at)
        )
        for parcel_id, reference in references
        if (story := story_of(reference)) is not None
    ]
    if stories:
        ParcelStory.objects.bulk_create(stories)
