"""The aggregator of federated jobs: collects updates, makes models, and survives being killed."""
