"""Count freight, close its months, enter surcharges, mark months as settled."""
