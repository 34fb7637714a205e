"""What a user logs, turned into what is stored: tables, images, matrices, profiles of data; and small views of it."""
