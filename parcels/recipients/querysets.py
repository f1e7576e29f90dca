"""Filters of saved recipients."""

from typing import Self

from django.db.models import Q

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

    def with_number(self, digits: str) -> Self:
        """Those of whom one number is this one, whole: others may have its digits within theirs."""
        first, last = Q(digits__startswith=f"{digits} "), Q(digits__endswith=f" {digits}")
        return self.filter(Q(digits=digits) | first | last | Q(digits__contains=f" {digits} "))
