"""What is promised and whether it was kept. Knows no parcel, only commitments keyed by parcel id."""
