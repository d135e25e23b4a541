"""Files that hold credentials: only their owner may read them."""

import os
from collections.abc import Mapping
from pathlib import Path
from shlex import quote


def write_environment(path: Path, environment: Mapping[str, str]) -> None:
    """Write exports that a shell reads by ``. path``."""
    write_private(path, "".join(f"export {name}={quote(value)}\n" for name, value in environment.items()))


def write_private(path: Path, text: str) -> None:
    """Write a new file with mode 600. An existing file is removed first, so that its mode is not kept."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with open(path, "w", opener=lambda name, _: os.open(name, flags, 0o600)) as file:
        file.write(text)
