"""From a manifest to a container image, without a daemon."""
