"""Small shared helpers. Public: `estimator_checks`; names with an underscore serve the package."""
