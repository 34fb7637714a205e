"""Trees of files: scanned, hashed, stored as blobs, compared and written out again."""
