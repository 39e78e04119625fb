"""``sklearn-ser predict``: predictions for recordings with a model file."""

import sys
from pathlib import Path

from sklearn_ser.cli._output import say, show, show_json
from sklearn_ser.utils._printable import printable_name


def add_arguments(parser):
    parser.add_argument(
        "--model", type=Path, required=True, help="file written by sklearn-ser train"
    )
    parser.add_argument(
        "--group",
        metavar="NAME",
        help="name of the corpus that the recordings belong to. They are scaled by the statistics "
        "of that corpus in training or, if it was not in training, by their own (at least 10 "
        "recordings). Without this option they are scaled by those of the whole training data",
    )
    parser.add_argument(
        "--window",
        type=float,
        metavar="SECONDS",
        help="predict each window of this length instead of whole recordings",
    )
    parser.add_argument(
        "--hop",
        type=float,
        metavar="SECONDS",
        help="time from the start of a window to that of the next (default: half a window)",
    )
    parser.add_argument(
        "--smoothing",
        type=float,
        metavar="SECONDS",
        help="average the probabilities of the windows within this time (centered)",
    )
    parser.add_argument(
        "--min-speech",
        type=float,
        metavar="SHARE",
        help="leave out windows of which a smaller share, from 0 to 1, is speech: at least 6 dB "
        "above the noise floor of the recording",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list instead of a table")
    parser.add_argument(
        "audio",
        nargs="+",
        help="audio files or videos, or folders, which are searched with their subfolders",
    )


def run(options):
    from sklearn_ser.evaluation import predict_table, predict_timeline
    from sklearn_ser.evaluation._final_model import find_recordings
    from sklearn_ser.persistence import load_model
    from sklearn_ser.preprocessing._transduction import record_transduction

    for name in ("hop", "smoothing", "min_speech"):
        if getattr(options, name) is not None and options.window is None:
            raise ValueError(f"--{name.replace('_', '-')} requires --window")
    model = load_model(options.model)
    X = find_recordings(options.audio, "file")
    if options.group:
        X["corpus"] = options.group
    verbose = 0 if options.quiet else 1
    with record_transduction() as scaled_by_batch:
        if options.window is None:
            table = predict_table(model, X, verbose=verbose)
            table.insert(0, "row", range(len(table)))
        else:
            hop = options.window / 2 if options.hop is None else options.hop
            settings = {"smoothing": options.smoothing, "min_speech": options.min_speech}
            table = predict_timeline(model, X, options.window, hop, verbose=verbose, **settings)
    if options.group and table["error"].isna().any():
        say(options, _describe_scaling(model, options.group, bool(scaled_by_batch)))
    failed = table["error"].notna()
    if options.json:
        show_json(_records(table))
    elif not failed.all():
        hidden = [name for names in _aux_columns(table).values() for name in names]
        shown = table[~failed].drop(columns=["row", "error", *hidden]).round(3)
        shown["file"] = shown["file"].map(printable_name)
        show(shown.to_string(index=False))
    for line in _describe_failures(table[failed], table.groupby("row").size()):
        show(line, file=sys.stderr)
    # A recording has failed if no window of it could be used.
    return 1 if failed.groupby(table["row"]).all().any() else 0


def _describe_failures(failed, n_windows):
    """Yield one line for each recording with windows that could not be used."""
    for row, windows in failed.groupby("row"):
        first = windows.iloc[0]
        file = printable_name(first["file"])
        if n_windows[row] == 1:
            yield f"{file}: {first['error']}"
        else:
            yield (
                f"{file}: {len(windows)} of {n_windows[row]} windows left out, the first "
                f"at {first['start']:g} s: {first['error']}"
            )


def _describe_scaling(model, group, by_own_statistics):
    """Describe the effect of --group in one sentence."""
    if by_own_statistics:
        return f"group {group!r}: scaled by the statistics of these recordings"
    known = sorted({str(name) for path in _training_groups(model) for name in path[:1]})
    if not known:
        return f"group {group!r}: this model has no groups; scaled by the training statistics"
    if group in known:
        return f"group {group!r} was in training: scaled by its training statistics"
    return (
        f"group {group!r} was not in training, and its own statistics need 10 usable recordings: "
        f"scaled by the training statistics. Groups of training: {', '.join(known)}"
    )


def _training_groups(model):
    """Return the keys of the groups of the scalers at any depth of the fitted model."""
    from sklearn_ser.utils._nested_estimators import nested_estimators

    parts = nested_estimators(model)
    return [key for part in parts for key in getattr(part, "group_keys_", ())]


def _aux_columns(table):
    """Return the probability columns of each auxiliary task, by the name of its column."""
    names = [name for name in table if name.startswith("aux_")]
    tasks = [name for name in names if not any(name.startswith(f"{other}_p_") for other in names)]
    return {task: [name for name in names if name.startswith(f"{task}_p_")] for task in tasks}


def _records(table):
    """Convert to one JSON object per recording or window."""
    aux = _aux_columns(table)
    return [
        {
            "file": row["file"],
            **{name: row[name] for name in ("start", "end") if name in row},
            "label": row["label"],
            **({"speech": row["speech"]} if "speech" in row else {}),
            "probabilities": _prefixed(row, "p_") or None,
            "aux": {task.removeprefix("aux_"): row[task] for task in aux if row[task] is not None},
            "aux_probabilities": {
                task.removeprefix("aux_"): found
                for task, names in aux.items()
                if names and (found := _prefixed(row, f"{task}_p_"))
            },
            "error": row["error"],
        }
        for row in table.astype(object).where(table.notna(), None).to_dict("records")
    ]


def _prefixed(row, prefix):
    return {
        key.removeprefix(prefix): value
        for key, value in row.items()
        if key.startswith(prefix) and value is not None
    }
