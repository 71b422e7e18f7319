"""Training code in a child process that can see nothing but what it is handed."""
