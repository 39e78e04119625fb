"""Types of samples: audio, frame sequences and features in any container."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from os import PathLike
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


class ArrowTable(Protocol):
    """Table of polars, pyarrow or another library that exports Arrow data."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


#: Audio of one utterance: a path, samples, (array, rate), or derived audio.
AudioSource: TypeAlias = (
    str | PathLike[str] | np.ndarray | Sequence[Any] | Mapping[str, Any] | Hashable
)
#: Audio: a table with a column of it, or a sequence of paths, arrays or (array, rate) pairs.
AudioInput: TypeAlias = (
    pd.DataFrame | pd.Series | pd.Index | np.ndarray | Sequence[Any] | ArrowTable
)
#: Frame sequences: a table with a column of them, or a sequence or array of them.
FramesInput: TypeAlias = pd.DataFrame | pd.Series | np.ndarray | Sequence[Any] | ArrowTable
#: Samples of any kind: features, frame sequences or audio.
Samples: TypeAlias = AudioInput | ArrayLike
#: Samples that are returned in a container like the one that they came in.
SamplesT = TypeVar("SamplesT", bound=Samples)
