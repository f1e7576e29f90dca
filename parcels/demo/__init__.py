"""A demo alliance, created through the same services as real couriers and merchants use."""
