"""Independent random streams by name.

A stream is named by the run's seed and a path such as ``("study", "default", 17)``. The same name gives the same
draws whatever ran before, on whichever worker, in whichever order.
"""

import zlib

import numpy as np


def _key(part: int | str) -> int:
    return part if isinstance(part, int) else zlib.crc32(part.encode())


def sequence(seed: int, *name: int | str) -> np.random.SeedSequence:
    """Seed sequence of the stream `name`.

    >>> sequence(42, "study", 3).entropy
    42
    """
    return np.random.SeedSequence(seed, spawn_key=tuple(_key(part) for part in name))


def stream(seed: int, *name: int | str) -> np.random.Generator:
    """Generator of the stream `name`; see `sequence`.

    >>> float(stream(42, "a").random()) == float(stream(42, "a").random())
    True
    >>> float(stream(42, "a").random()) == float(stream(42, "b").random())
    False
    """
    return np.random.default_rng(sequence(seed, *name))


def integer(seed: int, *name: int | str) -> int:
    """A seed for libraries that take an integer ``random_state``; see `sequence`.

    >>> 0 <= integer(42, "folds", 1) < 2**31
    True
    """
    return int(sequence(seed, *name).generate_state(1)[0] >> 1)
