"""Files that others name by their content: fetched from the broker, kept within a bound."""
