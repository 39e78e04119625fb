"""Between an extractor and its store: which rows are there already, which are to be added."""


class StoredRows:
    """The rows of a table, as far as the store of an extractor has them."""
