"""OpenSmileExtractor with custom configuration files."""

import os
import pickle
import shutil

import numpy as np
import opensmile
import pandas as pd
import pytest
from sklearn.base import clone

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import OpenSmileExtractor
from sklearn_ser.feature_extraction._opensmile import (
    config_digest,
    load_engine,
    standard_path,
    written_levels,
)

CONFIG = r"""
[componentInstances:cComponentManager]
instance[dataMemory].type=cDataMemory

\{\cm[source{?}:source include config]}

[componentInstances:cComponentManager]
instance[frame].type=cFramer
instance[energy].type=cEnergy
instance[stats].type=cFunctionals

[frame:cFramer]
reader.dmLevel=wave
writer.dmLevel=frames
frameSize=0.025
frameStep=0.010

\{parts/energy.inc}

[stats:cFunctionals]
reader.dmLevel=energy
writer.dmLevel=features
frameMode=full
frameSize=0
frameStep=0
functionalsEnabled=Extremes

\{\cm[sink{?}:include external sink]}
"""
ENERGY = r"""
[energy:cEnergy]
reader.dmLevel=frames
writer.dmLevel=energy
\{\cm[bufferConf{buffer.inc}:buffer of the energy]}
rms=1
log=1
"""
BUFFER = "writer.levelconf.growDyn=1\nwriter.levelconf.isRb=0\n"


@pytest.fixture
def config(tmp_path):
    """A file that includes a file that includes a file, in a folder with an awkward name."""
    folder = tmp_path / "my configs, \u00fc"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "energy.inc").write_text(ENERGY)
    (folder / "parts" / "buffer.inc").write_text(BUFFER)
    (folder / "mine.conf").write_text(CONFIG)
    return folder / "mine.conf"


@pytest.fixture
def signal():
    return np.random.default_rng(0).uniform(-0.3, 0.3, size=9000).astype(np.float32)


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_same_as_opensmile(tmp_path, config, signal):
    shutil.copytree(config.parent, tmp_path / "plain")  # opensmile itself takes ASCII paths only
    for level, is_row in (("features", True), ("energy", False)):
        smile = opensmile.Smile(str(tmp_path / "plain" / "mine.conf"), level)
        expected = smile.process_signal(signal, 16000)
        extractor = OpenSmileExtractor(str(config), level)
        found = extractor.fit_transform([signal])
        if is_row:
            assert list(found.columns) == list(expected.columns)
            assert list(extractor.get_feature_names_out()) == list(expected.columns)
            np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())
        else:
            assert found.attrs["frame_features"] == list(expected.columns)
            assert list(extractor.get_feature_names_out()) == ["frames"]
            np.testing.assert_array_equal(found["frames"][0], expected.to_numpy())


def test_copy_of_a_standard_set_gives_its_features(tmp_path, signal):
    root = standard_path("eGeMAPSv02").parents[2]
    shutil.copytree(root, tmp_path / "config")
    path = tmp_path / "config" / standard_path("eGeMAPSv02").relative_to(root)
    for level in ("functionals", "lld"):
        found = OpenSmileExtractor(str(path), level).fit_transform([signal])
        expected = OpenSmileExtractor("eGeMAPSv02", level).fit_transform([signal])
        pd.testing.assert_frame_equal(found, expected)


def test_relative_path_clone_and_pickle(config, signal, monkeypatch):
    monkeypatch.chdir(config.parent)
    extractor = OpenSmileExtractor("mine.conf", "features")
    expected = extractor.fit_transform([signal])
    for copy in (clone(extractor), pickle.loads(pickle.dumps(extractor))):
        assert copy.feature_set == "mine.conf"
        pd.testing.assert_frame_equal(copy.transform([signal]), expected)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mine.conf", "frameSize=0.025", "frameSize=0.035"),
        ("parts/energy.inc", "log=1", "log=0"),
        ("parts/buffer.inc", "growDyn=1", "growDyn=1\n; a remark"),
    ],
)
def test_a_changed_file_is_read_again_and_is_another_version(config, signal, file, old, new):
    extractor = OpenSmileExtractor(str(config), "features")
    names, values = extractor.get_feature_names_out(), extractor.fit_transform([signal]).to_numpy()
    versions = extractor._versions()
    assert versions["opensmile"] == opensmile.__version__
    engine = load_engine(str(config), "features")
    assert load_engine(str(config), "features") is engine

    changed = config.parent / file
    before = changed.stat()
    edit(changed, old, new)
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns))  # its time is no evidence
    assert extractor._versions()["config"] != versions["config"]
    assert load_engine(str(config), "features") is not engine
    found = extractor.transform([signal])
    remark = "remark" in new
    assert np.array_equal(found.to_numpy(), values) == remark
    assert np.array_equal(extractor.get_feature_names_out(), names) == (file != "parts/energy.inc")


def test_digest_does_not_depend_on_the_folder(config, tmp_path):
    shutil.copytree(config.parent, tmp_path / "elsewhere")
    assert config_digest(tmp_path / "elsewhere" / "mine.conf") == config_digest(config)


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "{} // the network",
        "\\cm[net{{{}}}:the network]",
        "\\cm[net(N){{{}}}:the network]",
        '"{}"',
        "a.bin;{}",
    ],
)
def test_digest_covers_the_files_that_components_read(config, tmp_path, value):
    network, table = tmp_path / "network.bin", tmp_path / "out.csv"
    network.write_bytes(b"\x00\xff one")
    table.write_text("one")
    edit(config, "[stats:", f"[net:cRnnProcessor]\nnetfile = {value.format(network)}\n[stats:")
    edit(config, "[stats:", f"[csv:cCsvSink]\nfilename = {table}\n[stats:")
    before = config_digest(config)
    table.write_text("two")
    assert config_digest(config) == before
    network.write_bytes(b"\x00\xff two")
    assert config_digest(config) != before


def test_files_that_include_each_other(config):
    (config.parent / "parts" / "buffer.inc").write_text(r"\{energy.inc}")
    config_digest(config)


def test_levels_of_a_file(config):
    assert written_levels(config) == ["frames", "features", "energy"]
    assert {"lld", "lld_de", "func"} <= set(written_levels(standard_path("ComParE_2016")))


@pytest.mark.parametrize("level", ["feature", "functionals"])
def test_level_that_the_file_lacks(config, level):
    message = (
        rf"mine\.conf' has no level '{level}' \(parameter 'feature_level' of OpenSmileExtractor\)"
        r"\. Its components write 'frames', 'features', 'energy'\."
    )
    extractor = OpenSmileExtractor(str(config), level)
    for use in (extractor.fit, extractor.transform):
        with pytest.raises(ValueError, match=message):
            use([])
    with pytest.raises(ValueError, match=message):
        extractor.get_feature_names_out()


def test_functionals_also_stand_for_func(config, signal):
    expected = OpenSmileExtractor(str(config), "features").fit_transform([signal])
    edit(config, "writer.dmLevel=features", "writer.dmLevel=func")
    pd.testing.assert_frame_equal(OpenSmileExtractor(str(config)).fit_transform([signal]), expected)
    edit(config, "writer.dmLevel=func", "writer.dmLevel=functionals")
    pd.testing.assert_frame_equal(OpenSmileExtractor(str(config)).fit_transform([signal]), expected)


def test_missing_file(tmp_path):
    message = r"names a configuration file that does not exist: '.*none\.conf' \(relative paths"
    with pytest.raises(ValueError, match=message):
        OpenSmileExtractor(str(tmp_path / "none.conf")).fit([])


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("instance[energy].type=cEnergy", "instance[energy].type=cEnerg", "type='cEnerg'.*unknown"),
        ("frameSize=0.025", "frameSiez=0.025", "unknown field type .name 'frameSiez'"),
        ("frameSize=0.025", "frameSize 0.025", "missing '=' in line 2 'frameSize 0.025'"),
        ("parts/energy.inc", "parts/none.inc", "cannot find input file '.*none.inc'"),
        ("reader.dmLevel=wave", "reader.dmLevel=wav", "level 'wav' was not found!"),
        ("\\{\\cm[sink{?}:include external sink]}", "", "does not include the sink; see the Notes"),
    ],
)
def test_invalid_file_with_the_error_of_opensmile_logs(config, old, new, said):
    edit(config, old, new)
    with pytest.raises(ValueError, match=rf"openSMILE does not accept .*mine\.conf': .*{said}"):
        OpenSmileExtractor(str(config), "features").fit([])


def test_file_without_the_source(config):
    generator = (
        "[componentInstances:cComponentManager]\ninstance[own].type=cSignalGenerator\n"
        "[own:cSignalGenerator]\nwriter.dmLevel=wave\nsignalType=white\n"
    )
    edit(config, "\\{\\cm[source{?}:source include config]}", generator)
    with pytest.raises(ValueError, match="does not include the source; see the Notes"):
        OpenSmileExtractor(str(config), "features").fit([])


@pytest.mark.parametrize("content", ["", "no configuration at all", "\0\1[\n" * 50])
def test_file_that_is_not_a_configuration(tmp_path, content):
    path = tmp_path / "file.conf"
    path.write_text(content)
    with pytest.raises(
        ValueError, match=r"openSMILE does not accept the configuration '.*file\.conf': "
    ):
        OpenSmileExtractor(str(path)).fit([])


def test_too_short_for_the_file(config, signal):
    edit(config, "frameSize=0.025", "frameSize=0.4")
    extractor = OpenSmileExtractor(str(config), "features")
    assert extractor.fit_transform([signal]).shape == (1, 14)
    with pytest.raises(AudioError, match=r"row 1: OpenSmileExtractor gives no frame for 0.200 s"):
        extractor.transform([signal, signal[:3200]])


def test_level_of_neither_rows_nor_frames(config):
    edit(config, "frameMode=full\nframeSize=0\nframeStep=0", "frameSize=0.9\nframeStep=6")
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, size=16000 * 13).astype(np.float32)
    with pytest.raises(AudioError, match=r"row 0: openSMILE gives 3 vectors for this utterance of"):
        OpenSmileExtractor(str(config), "features").fit_transform([noise])
