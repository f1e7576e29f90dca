"""Filters of saved recipients."""

from typing import Self

from alliance.names import term_of
from parcels.bookings.querysets import MerchantOwnedQuerySet
from parcels.recipients.rules import digits_sought


class SavedRecipientQuerySet(MerchantOwnedQuerySet):
    def called(self, text: str) -> Self:
        """Those with the text in their name; a text of four digits or more is looked for in their phones.

        Without an index: a merchant has MOST_SAVED at most, and a policy lets no search for a part of a name
        use one.
        """
        term = term_of(text)
        if not term:
            return self
        if digits := digits_sought(term):
            return self.filter(digits__contains=digits)
        return self.filter(name__icontains=term)
