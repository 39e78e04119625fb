"""Audio that failed: reported as a step's `on_error` says (behind `sklearn_ser.audio`)."""

from sklearn_ser.exceptions import AudioWarning
from sklearn_ser.utils._warnings import warn_user

_HINT = "on_error='warn' or 'ignore' of the step gives a row of NaN and goes on"


def handle_failures(failures, on_error, n_rows):
    """Report rows whose audio failed, as the step's `on_error` says.

    Parameters
    ----------
    failures : list of AudioError
        In any order.
    on_error : {"raise", "warn", "ignore"}
        "raise" raises the failure of the lowest row, "warn" gives one AudioWarning for all.
    n_rows : int
        Rows that were read in all.

    Returns
    -------
    list of dict
        The failures as :func:`failure_records` gives them.

    Raises
    ------
    AudioError
        With ``on_error="raise"``.

    Examples
    --------
    >>> from sklearn_ser.audio._failures import handle_failures
    >>> from sklearn_ser.exceptions import AudioError
    >>> handle_failures([AudioError("the audio is empty", row=3)], "raise", n_rows=10)
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.AudioError: row 3: the audio is empty
    on_error='warn' or 'ignore' of the step gives a row of NaN and goes on
    """
    if on_error not in ("raise", "warn", "ignore"):
        raise ValueError(f"on_error must be 'raise', 'warn' or 'ignore', got {on_error!r}")
    ordered = sorted(failures, key=_row_order)
    if ordered and on_error == "raise":
        ordered[0].add_note(_HINT)
        raise ordered[0]
    if ordered and on_error == "warn":
        _warn(ordered, n_rows)
    return failure_records(ordered)


def failure_records(failures):
    """Failures as plain records, which pickle and skops can store.

    Parameters
    ----------
    failures : list of AudioError

    Returns
    -------
    list of dict
        Of ``row`` (int or None), ``file`` (str or None) and ``reason`` (str), by row.

    Examples
    --------
    >>> from sklearn_ser.audio._failures import failure_records
    >>> from sklearn_ser.exceptions import AudioError
    >>> failure_records([AudioError("the audio is empty", row=3, file="a.wav")])
    [{'row': 3, 'file': 'a.wav', 'reason': 'the audio is empty'}]
    """
    return [
        {
            "row": None if failure.row is None else int(failure.row),
            "file": failure.file,
            "reason": failure.reason,
        }
        for failure in sorted(failures, key=_row_order)
    ]


def _warn(ordered, n_rows, most=3):
    shown = "".join(f"\n  {failure}" for failure in ordered[:most])
    more = f"\n  ... {len(ordered) - most} more" if len(ordered) > most else ""
    warn_user(
        f"{len(ordered)} of {n_rows} rows could not be used and became rows of NaN:{shown}{more}",
        AudioWarning,
    )


def _row_order(failure):
    return -1 if failure.row is None else failure.row
