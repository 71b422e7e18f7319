"""Federated jobs from an operator's side: start, watch, stop."""
