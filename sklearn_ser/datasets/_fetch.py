"""Download of published corpora: audb and the hub of Hugging Face."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sklearn_ser.datasets._corpus import Corpus
from sklearn_ser.datasets._load import load_corpus
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.datasets")
def fetch_corpus(
    name: str,
    *,
    version: str | None = None,
    emotion_map: Mapping[str, str | None] | None = None,
    cache: str | os.PathLike[str] | None = None,
    verbose: int = 0,
) -> Corpus:
    """Download a published corpus, or load it from the cache.

    Parameters
    ----------
    name : str
        Name of a data set of audb (``"emodb"``; extra ``audb``), or of the hub of Hugging Face,
        which has a ``/`` (``"owner/name"``; extra ``datasets``).
    version : str, optional
        Version of the data set in audb, or revision on the hub. By default the latest one, which
        an evaluation that others should repeat must not rely on.
    emotion_map : dict, optional
        As in :func:`load_corpus`.
    cache : path-like, optional
        Folder of the downloaded files, by default that of audb or `datasets`. Both verify
        checksums and resume an interrupted download.
    verbose : int, default=0
        Verbosity level. Above 0, the progress of audb is shown; `datasets` shows its own.

    Returns
    -------
    Corpus
        Corpus with the name `name`, or what stands after its ``/``.

    Raises
    ------
    CorpusError
        If the corpus cannot be fetched (no network and not in the cache, or an unknown name), or
        has no scheme or column for emotion, or none for speaker.
    MissingDependencyError
        If the extra is not installed.

    See Also
    --------
    load_corpus : Load what is on this machine, also a Database or Dataset.

    Examples
    --------
    >>> from sklearn_ser.datasets import fetch_corpus
    >>> corpus = fetch_corpus("emodb", version="1.4.1")  # doctest: +SKIP
    """
    is_hub = "/" in name
    extra = "datasets" if is_hub else "audb"
    library = import_extra(extra, extra, f"fetch_corpus({name!r})")
    try:
        if is_hub:
            cache_dir = None if cache is None else os.fspath(cache)
            source = library.load_dataset(name, revision=version, cache_dir=cache_dir)
        else:
            source = library.load(
                name, version=version, cache_root=cache, verbose=bool(verbose), full_path=True
            )
    except Exception as error:  # of any kind: both libraries raise those of their transports
        raise CorpusError(
            f"corpus {name!r} cannot be fetched with {extra} ({type(error).__name__}: {error}); "
            f"expected a network connection, or this version in the cache. Check the name and "
            f"version, and fetch it once with a connection."
        ) from error
    return load_corpus(source, name=name.rpartition("/")[2], emotion_map=emotion_map)
