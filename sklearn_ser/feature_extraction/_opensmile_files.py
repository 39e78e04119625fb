"""What stands in openSMILE's configuration files, as far as we need to know it."""

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

_INCLUDE = re.compile(r"\\\{(?P<path>[^{}]*?(?:\{[^{}]*\}[^{}]*?)?)\}")
_OPTION = re.compile(r"\\cm\[\s*(?P<name>\w+)[^\]{]*(?:\{(?P<default>[^}]*)\})?[^\]]*\]")
_SECTION = re.compile(r"\[(?P<name>[^:\]]+):\s*(?P<type>\w+)\s*\]")
_VALUE = re.compile(r"(?P<key>[\w.\[\]]+)\s*=\s*(?P<value>.*)")
_WORD = re.compile(r"[^\s;,{}\[\]\"']+")
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)

#: Path -> the files that it consists of, and their digest: while they are what they were, their
#: text need not be searched again for the names of files (10 ms, for every utterance).
_digested = {}


@dataclass
class Component:
    """A component of a configuration: the names of the levels that it reads and writes."""

    type: str
    values: dict = field(default_factory=dict)

    @property
    def reads(self):
        return [
            level
            for key, value in self.values.items()
            if key.endswith(".dmLevel") and not key.startswith("writer")
            for level in _items(value)
        ]

    @property
    def writes(self):
        return _items(self.values.get("writer.dmLevel", ""))

    @property
    def joins(self):
        """Whether all it does is to put the vectors that it reads behind each other."""
        return self.type == "cVectorConcat" and self.values.get("includeSingleElementFields") == "1"


def config_digest(path):
    """Hash of all that a configuration consists of.

    Its own text, that of every file it includes, and the content of every existing file that a
    component other than a sink has as a value (a network, a model, a list of features).

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    str
    """
    path = os.path.abspath(path)
    files, digest = _digested.get(path, ((), None))
    if digest is None or _digest(files) != digest:
        files = _all_files(path)
        digest = _digest(files)
        _digested[path] = files, digest
    return digest


def read_components(path):
    """The components of a configuration, with those of every file that it includes.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict of str to Component
        By the names of their instances.
    """
    found = {}
    for text in _texts(path).values():
        for name, component in _components(text).items():
            found.setdefault(name, Component(component.type)).values.update(component.values)
    return found


def written_levels(path):
    """Names of the levels that the components of a configuration write, each once.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    list of str
    """
    components = read_components(path).values()
    return list(dict.fromkeys(level for component in components for level in component.writes))


def _texts(path):
    """Path -> text, of a file and of every file that it includes, by the order of first use."""
    texts, defaults = {}, {}

    def read(path):
        path = Path(os.path.abspath(path))
        if path in texts or not path.is_file():
            return  # openSMILE says by itself what it misses
        texts[path] = text = path.read_text(encoding="utf-8", errors="surrogateescape")
        for match in _INCLUDE.finditer(text):
            folder, target = path.parent, match["path"].strip()
            if option := _OPTION.match(target):
                # Only its first use has the default, a path as seen from there.
                if option["default"] is not None:
                    defaults.setdefault(option["name"], (folder, option["default"]))
                folder, target = defaults.get(option["name"], (folder, ""))
            if target:
                read(folder / target)

    read(path)
    return texts


def _components(text):
    components, current = {}, None
    for line in map(str.strip, _BLOCK_COMMENT.sub("", text).splitlines()):
        if section := _SECTION.match(line):
            current = components.setdefault(section["name"], Component(section["type"]))
        elif current is not None and (value := _VALUE.match(line)):
            current.values[value["key"]] = value["value"].strip()
    return components


def _items(value):
    return [item.strip() for item in value.split(";") if item.strip()]


def _all_files(path):
    """Every file that a configuration consists of."""
    files = []
    for included, text in _texts(path).items():
        files.append(included)
        for component in _components(text).values():
            if not component.type.endswith("Sink"):
                names = (name for value in component.values.values() for name in _names_in(value))
                files += [name for name in names if os.path.isfile(name)]
    return files


def _names_in(value):
    """Whatever in a value may be the name of a file; one too many costs nothing."""
    found = {value, value.partition("//")[0].strip(), *_WORD.findall(value)}
    found.update(match["default"].strip() for match in _OPTION.finditer(value) if match["default"])
    found.update(_items(value))
    # A longer one is no path, and asking for it is an error on some systems.
    return sorted(name for name in found if 0 < len(name) < 250)


def _digest(files):
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        # A file that is gone is another content than an empty one.
        content = Path(file).read_bytes() if os.path.isfile(file) else None
        digest.update(b"none" if content is None else b"%d:" % len(content) + content)
    return digest.hexdigest()
