"""What merchants owe their couriers for carrying, month by month."""
