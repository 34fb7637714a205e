"""What lasts: the catalogue, blob stores, secret stores; each is imported by its own name, none from here."""
