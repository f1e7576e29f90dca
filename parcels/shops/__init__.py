"""Orders of merchants' shops: webhooks of Shopify and WooCommerce that become bookings."""
