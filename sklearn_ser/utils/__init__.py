"""Small shared helpers. Public: `estimator_checks`; modules with an underscore serve the package."""
