"""Manifests made in the client: the model, the script that scores with it, what they import, and a sample."""
