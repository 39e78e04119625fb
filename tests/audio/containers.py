"""Tiny containers of synthetic sound, written by PyAV when a test needs them."""

import numpy as np


def voice(rate, seconds, n_channels=2):
    """Return harmonics of a gliding pitch, of shape (channels, samples)."""
    times = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (120 * times + 15 * np.sin(3 * times))
    sound = sum(np.sin(k * phase) / k for k in range(1, 12)) * (1.2 + np.sin(9 * times)) / 9
    return np.stack([sound, 0.8 * sound])[:n_channels]


def write_container(
    path,
    container,
    codec,
    sound=None,
    *,
    rate=48000,
    video=None,
    n_audio=1,
    seconds=2.0,
    options=None,
):
    """Write audio streams (of shape (channels, samples)), and a video stream; return the sound."""
    import av

    if sound is None:
        sound = voice(rate, seconds)
    layout = "mono" if len(sound) == 1 else "stereo"
    samples = np.round(sound.T.reshape(1, -1) * 32767).astype("int16")
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        pictures = None
        if video:
            pictures = output.add_stream(video, rate=25)
            pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        streams = [output.add_stream(codec, rate=rate, layout=layout) for _ in range(n_audio)]
        for stream in streams:
            stream.bit_rate = 12200 if codec == "libopencore_amrnb" else 128000
        if pictures is not None:
            times = np.cumsum(np.random.default_rng(0).integers(1, 4, round(10 * seconds)))
            for time in times.tolist():  # a variable frame rate
                picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), "uint8"), format="rgb24")
                picture.pts = time
                output.mux(pictures.encode(picture))
            output.mux(pictures.encode())
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate = rate
            output.mux(stream.encode(frame))
            output.mux(stream.encode())
    return sound
