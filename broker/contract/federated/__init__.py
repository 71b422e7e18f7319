"""What devices and the aggregator share in federated learning; numpy only in `vector` and below."""
