"""Training of networks: inputs, batches, callbacks, ensembles, self-training."""
