"""A Service over HTTP for others: routes and OpenAPI, from the table of operations."""
