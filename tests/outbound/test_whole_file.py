"""A file is replaced as a whole or not at all."""

import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from schedules_pipeline.outbound.whole_file import PRIVATE, whole_file


@contextmanager
def _disk_that_holds(size: int) -> Iterator[None]:
    """No file of this process can grow beyond ``size`` bytes, as on a disk that is full then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_old_content_is_there_until_the_new_one_is_whole(tmp_path: Path) -> None:
    """A reader in the middle of the writing reads the old file."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        meanwhile = path.read_bytes()

    assert (meanwhile, path.read_bytes()) == (b"old", b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The error comes from the system, and no part of the new file stays."""
    path = tmp_path / "file"
    path.write_bytes(b"old")

    with _disk_that_holds(10), pytest.raises(OSError, match="too large"), whole_file(path) as file:
        file.write(b"n" * 100_000)

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_of_the_caller_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C too, which is no ordinary error."""

    def write() -> None:
        with whole_file(tmp_path / "file") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("old", "asked", "new"), [(0o600, 0o666, 0o600), (0o644, PRIVATE, 0o600)])
def test_a_new_file_is_read_by_nobody_who_could_not_read_the_old_one(
    tmp_path: Path, old: int, asked: int, new: int
) -> None:
    """A private file stays private when it is replaced, and a private content makes it private."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(old)

    with whole_file(path, asked):
        pass

    assert _mode(path) == new


def test_a_new_file_obeys_the_umask(tmp_path: Path) -> None:
    """As every other program's files do."""
    before = os.umask(0o027)
    try:
        with whole_file(tmp_path / "file"):
            pass
    finally:
        os.umask(before)

    assert _mode(tmp_path / "file") == 0o640


def test_a_link_goes_on_leading_to_the_file(tmp_path: Path) -> None:
    """What it leads to is replaced, and not the link."""
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")

    with whole_file(tmp_path / "link") as file:
        file.write(b"new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    """Root could otherwise turn /dev/null into a file."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="Not a regular file"), whole_file(tmp_path / "pipe"):
        pass

    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_the_new_content_and_its_name_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the block has ended: the file is synced, and its directory once the file has taken the place."""
    synced: list[tuple[bool, bool]] = []
    path, sync = tmp_path / "list", os.fsync

    def record(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    with whole_file(path) as file:
        file.write(b"new")

    assert synced == [(False, False), (True, True)]
