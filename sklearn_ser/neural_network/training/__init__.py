"""Training of networks: rows, batches, losses, callbacks, ensembles."""
