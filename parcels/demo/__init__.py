"""A demo alliance, made through the services that real couriers and merchants go through."""
