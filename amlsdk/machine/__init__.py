"""The machine that code runs on: what it is, and how busy."""
