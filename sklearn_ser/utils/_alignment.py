"""Tables are aligned row by row, as scikit-learn slices them; refuse those that say otherwise."""

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError


def refuse_other_order(table, reference, table_name, reference_name):
    """Raise where two tables have the same index labels in another order.

    Such tables would be paired wrongly, row by row. Anything else passes: arrays, tables with
    another kind of index, repeated labels.
    """
    if not (hasattr(table, "index") and isinstance(table.index, pd.Index)):
        return
    if not (hasattr(reference, "index") and isinstance(reference.index, pd.Index)):
        return
    ours, theirs = table.index, reference.index
    if len(ours) != len(theirs) or ours.equals(theirs) or not ours.is_unique:
        return
    places = theirs.get_indexer(ours) if theirs.is_unique else np.array([-1])
    if (places >= 0).all():
        first = int(np.flatnonzero(places != np.arange(len(places)))[0])
        raise MetadataError(
            f"{table_name} has the index labels of {reference_name} in another order (row {first} "
            f"is {ours[first]!r} here and {theirs[first]!r} there), and rows are paired by "
            f"position: give {table_name}.loc[{reference_name}.index], or reset both indexes"
        )
