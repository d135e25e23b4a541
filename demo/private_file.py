"""Files of the demonstration that hold credentials: their owner may read them, and nobody else."""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote


def write_environment(path: Path, environment: Mapping[str, str]) -> None:
    """Write what a shell reads by ``. path``."""
    write_private(path, "".join(f"export {name}={quote(value)}\n" for name, value in environment.items()))


def write_private(path: Path, text: str) -> None:
    """Anew, so that what was there before, and might be read by others, lends it no rights."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(path, "w", opener=lambda name, _: os.open(name, flags, 0o600)) as file:
        file.write(text)
