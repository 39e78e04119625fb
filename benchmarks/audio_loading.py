"""What audio loading costs: reading a 3 s, 16 kHz FLAC beside soundfile alone.

Run: ``python benchmarks/audio_loading.py``
"""

import tempfile
from pathlib import Path

import soundfile
from _timing import ratio, report

from sklearn_ser import make_speech_corpus
from sklearn_ser.audio import open_audio


def main():
    signal, rate = make_speech_corpus(2, 1, duration=3.0, random_state=0).frame["file"][0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.flac"
        soundfile.write(path, signal, rate)
        table = open_audio([path])

        def through_read_audio():
            for _ in range(150):
                table.read(0)

        def alone():
            for _ in range(150):
                soundfile.read(path, dtype="float32")

        report(
            "reading a FLAC through open_audio / soundfile.read", ratio(through_read_audio, alone)
        )


if __name__ == "__main__":
    main()
