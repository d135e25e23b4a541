"""Files that are replaced as a whole: a reader sees the old content or the new one, and a full disk loses neither."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

READABLE, PRIVATE = 0o666, 0o600


@contextmanager
def whole_file(path: Path, mode: int = READABLE) -> Iterator[BinaryIO]:
    """A file to write, which takes the place of ``path`` when the block ends, and is on the disk by then.

    If the block fails, what was at ``path`` stays, and nothing else is left. ``mode``, less the umask, is who may read
    it, and never more than might read what it replaces. A link stays, and the file that it leads to is replaced. Raises
    OSError if the file cannot be written, or if ``path`` is a device or a pipe, which cannot be replaced.
    """
    target = Path(os.path.realpath(path))
    if target.exists():
        found = target.stat().st_mode
        if not stat.S_ISREG(found):
            raise OSError(errno.EINVAL, "Not a regular file", str(path))
        mode &= found
    whole = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(whole, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        whole.replace(target)
    except BaseException:
        whole.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _sync_directory(path: Path) -> None:
    """Until then a crash of the machine can bring back the old name, and with it the old content."""
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems of networks cannot
            raise
    finally:
        os.close(directory)
