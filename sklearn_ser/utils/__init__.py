"""Small shared helpers. Public: nothing yet; the modules with an underscore serve the package."""
