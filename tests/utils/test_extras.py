"""Optional packages: a missing one is named with its extra, a broken one shows its own error."""

import sys

import pytest

from sklearn_ser.exceptions import MissingDependencyError, SerError
from sklearn_ser.utils._extras import import_extra


def write_module(folder, name, text, monkeypatch):
    (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_an_installed_module_is_imported():
    assert import_extra("json.decoder", "any", "Reading") is sys.modules["json.decoder"]


@pytest.mark.parametrize("module", ["absent_package", "absent_package.part"])
def test_a_missing_package_names_purpose_package_and_extra(module):
    message = (
        r"^PretrainedEmbedding needs the package 'absent_package', which is not installed: "
        r"pip install 'sklearn-ser\[hub\]'$"
    )
    with pytest.raises(MissingDependencyError, match=message) as caught:
        import_extra(module, "hub", "PretrainedEmbedding")
    assert isinstance(caught.value, SerError)
    assert isinstance(caught.value, ImportError)
    assert caught.value.name == "absent_package"


def test_a_missing_dependency_of_an_installed_package_is_not_a_missing_extra(tmp_path, monkeypatch):
    write_module(tmp_path, "lacks_its_own", "import dependency_of_its_own", monkeypatch)
    with pytest.raises(ModuleNotFoundError, match="dependency_of_its_own") as caught:
        import_extra("lacks_its_own", "hub", "PretrainedEmbedding")
    assert not isinstance(caught.value, SerError)


def test_an_import_error_inside_an_installed_package_passes_through(tmp_path, monkeypatch):
    write_module(tmp_path, "breaks_itself", "raise ImportError('wrong C library')", monkeypatch)
    with pytest.raises(ImportError, match=r"^wrong C library$") as caught:
        import_extra("breaks_itself", "hub", "PretrainedEmbedding")
    assert not isinstance(caught.value, SerError)
