"""From utterances to the hidden states of their own frames, in batches that change nothing."""


def own_frames(encoder, signals, layers, batch_size):
    """Hidden states of the frames that belong to each utterance.

    Parameters
    ----------
    encoder : SpeechEncoder
    signals : list of ndarray of shape (n_samples,), float32
        Each long enough for a frame.
    layers : sequence of int
        As for `SpeechEncoder.states`.
    batch_size : int
        Most of Whisper's windows at a time.

    Returns
    -------
    list of torch.Tensor of shape (n_layers, n_frames, width)
    """
    if encoder.description.is_whisper:
        return _whisper_frames(encoder, signals, layers, batch_size)
    return _waveform_frames(encoder, signals, layers)


def _waveform_frames(encoder, signals, layers):
    import torch

    description = encoder.description
    prepared = [torch.from_numpy(_prepared(description, signal)) for signal in signals]
    found = [None] * len(signals)
    for positions in _groups([len(signal) for signal in signals], description.pads):
        group = [prepared[position] for position in positions]
        inputs = torch.nn.utils.rnn.pad_sequence(group, batch_first=True)
        mask = None
        if len({len(signal) for signal in group}) > 1:
            mask = torch.nn.utils.rnn.pad_sequence(
                [torch.ones(len(signal), dtype=torch.long) for signal in group], batch_first=True
            )
        states = encoder.states(inputs, layers, mask)
        for place, position in enumerate(positions):
            n_frames = description.n_frames(len(signals[position]))
            found[position] = states[:, place, :n_frames]
    return found


def _groups(lengths, pads):
    """Positions of the utterances that may share a batch."""
    if pads:
        return [range(len(lengths))] if lengths else []
    by_length = {}
    for position, length in enumerate(lengths):
        by_length.setdefault(length, []).append(position)
    return by_length.values()


def _prepared(description, signal):
    """One utterance as the network expects it; scaled by itself, before anything is padded."""
    (values,) = description.preparation(
        signal.copy(),
        sampling_rate=description.sampling_rate,
        padding=False,
        return_attention_mask=False,
    )["input_values"]
    return values


def _whisper_frames(encoder, signals, layers, batch_size):
    import torch

    description = encoder.description
    window = description.preparation.n_samples
    pieces = [
        (position, signal[start : start + window])
        for position, signal in enumerate(signals)
        for start in range(0, len(signal), window)
    ]
    found = [[] for _ in signals]
    for first in range(0, len(pieces), batch_size):
        batch = pieces[first : first + batch_size]
        inputs = torch.cat([_log_mel(description, piece) for _, piece in batch])
        states = encoder.states(inputs, layers)
        for place, (position, piece) in enumerate(batch):
            found[position].append(states[:, place, : description.n_frames(len(piece))])
    return [torch.cat(parts, dim=1) for parts in found]


def _log_mel(description, piece):
    """A piece of an utterance, filled up with silence to the window, as a batch of one."""
    return description.preparation(
        piece, sampling_rate=description.sampling_rate, return_tensors="pt"
    )["input_features"]
