"""What runs models while they are exported."""
