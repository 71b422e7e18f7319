"""Where models meet files and processes."""
