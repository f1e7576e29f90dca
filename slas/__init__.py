"""Service levels: promises, and whether they were kept. Knows no parcels, only commitments keyed by parcel
id."""
