"""Auxiliary targets: the table that comes with ``fit``."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._alignment import OF_SAMPLERS


def check_aux(aux, n_rows):
    """The auxiliary targets as a DataFrame of `n_rows` rows with string column names, or None."""
    if aux is None:
        return None
    if isinstance(aux, Mapping):
        raise MetadataError(
            "aux is a dict, which scikit-learn does not slice along with X: cross-validation "
            "would silently give each fold the targets of other rows. Give aux as a DataFrame: "
            "pd.DataFrame(aux)."
        )
    if isinstance(aux, pd.Series):
        table = aux.to_frame("aux0" if aux.name is None else aux.name)
    elif isinstance(aux, pd.DataFrame):
        table = aux
    else:
        values = np.asarray(aux, dtype=None if isinstance(aux, np.ndarray) else object)
        if values.ndim not in (1, 2) or values.dtype.names:
            raise MetadataError(
                f"aux must be a DataFrame, a Series or an array of one or two dimensions, got a "
                f"{type(aux).__name__} with {values.ndim} dimensions and dtype {values.dtype}."
            )
        columns = values.reshape(len(values), -1)
        table = pd.DataFrame(columns, columns=[f"aux{i}" for i in range(columns.shape[1])])
    if len(table) != n_rows:
        raise MetadataError(
            f"aux has {len(table)} rows and X has {n_rows}: give one row of targets per row of X, "
            f"with missing values where a target is not known. {OF_SAMPLERS}"
        )
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    if not table.columns.is_unique:
        raise MetadataError(f"aux has several columns of one name: {list(table.columns)}.")
    return table.reset_index(drop=True).infer_objects()
