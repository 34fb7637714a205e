"""What runs inside an image: a scoring service over HTTP."""
