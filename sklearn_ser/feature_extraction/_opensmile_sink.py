"""The end of a configuration: what hands the vectors of a level to us, at little cost.

openSMILE reads this text as the last part of a configuration. It may add components there, and
also change those before it.
"""

from sklearn_ser.feature_extraction._opensmile_files import read_components

#: A component that does nothing unless it is sent a message.
_IDLE = "cExternalMessageInterface"

_PLAIN = """
[componentInstances:cComponentManager]
instance[extsink].type = cExternalSink

[extsink:cExternalSink]
reader.dmLevel = {levels}
blocksize = 1
"""

# Multiplied by one the values stay what they are, but become one field. A sink asks for the name
# of each of its elements, and openSMILE counts through the fields before it to find it: with 6373
# fields that is half of the time that ComParE_2016 takes to be made ready.
_NAMELESS = """
[componentInstances:cComponentManager]
instance[serOneField].type = cVectorOperation

[serOneField:cVectorOperation]
reader.dmLevel = {levels}
writer.dmLevel = serOneField
writer.levelconf.growDyn = 0
writer.levelconf.isRb = 1
writer.levelconf.nT = 5
processArrayFields = 0
preserveFieldNames = 0
operation = mul
param1 = 1.0
"""


def plain_sink(level):
    """A sink that knows the names of a level's elements.

    Parameters
    ----------
    level : str

    Returns
    -------
    str
        Part of a configuration file.
    """
    return _PLAIN.format(levels=level)


def fast_sink(level):
    """A sink that gives the vectors of a level, without names.

    Parameters
    ----------
    level : str

    Returns
    -------
    str
        Part of a configuration file.
    """
    return _NAMELESS.format(levels=level) + _PLAIN.format(levels="serOneField")


def fast_sink_of_standard_set(path, level):
    """`fast_sink` for one of openSMILE's own sets, which also idles what the level does not need.

    The standard sets compute descriptors, deltas and functionals, whichever is asked for, and the
    newer of them also what only the older gave. Their components work on nothing but levels, so
    those that the asked one does not depend on can be left out.

    Parameters
    ----------
    path : Path
        Of the set's configuration file.
    level : str

    Returns
    -------
    str
        Part of a configuration file.
    """
    components = read_components(path)
    writers = {level: name for name, item in components.items() for level in item.writes}
    levels = [level]
    last = components[writers[level]]
    if last.joins:
        levels = last.reads  # a reader of several levels joins them itself
    needed, pending = set(), list(levels)
    while pending:
        name = writers.get(pending.pop())  # none writes the audio: its source is an option
        if name is not None and name not in needed:
            needed.add(name)
            pending += components[name].reads
    idle = [name for name, item in components.items() if item.writes and name not in needed]
    lines = [f"instance[{name}].type = {_IDLE}" for name in idle]
    manager = "\n".join(["[componentInstances:cComponentManager]", *lines, ""])
    return manager + fast_sink(";".join(levels))
