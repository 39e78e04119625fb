"""Names that the command line needs before anything heavy is imported."""

PROTOCOLS = ("leave-one-corpus-out", "within-corpus", "pairwise", "aggregated")
