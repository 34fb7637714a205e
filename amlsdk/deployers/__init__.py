"""Where images serve: adapters, and the supervisor that drives one deployment."""
