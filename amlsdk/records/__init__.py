"""What is stored and sent: frozen attrs classes, a file a noun."""
