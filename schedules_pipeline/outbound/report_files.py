"""Reports as files in a directory, named by their time. Old reports are removed."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path


class ReportFiles:
    """Implements :class:`ReportStore`."""

    def __init__(self, directory: Path, name: str, kept: int) -> None:
        """``name``: the beginning of every file's name. ``kept``: the number of reports that are kept."""
        self._directory = directory
        self._name = name
        self._kept = kept

    def put(self, at: datetime, files: Mapping[str, bytes]) -> Mapping[str, Path]:
        self._directory.mkdir(parents=True, exist_ok=True)
        stem = f"{self._name}-{at:%Y%m%dT%H%M%S}.{at.microsecond:06}Z"
        paths = {ending: self._directory / f"{stem}.{ending}" for ending in files}
        for ending, content in files.items():
            _write_whole(paths[ending], content)
        self._remove_old()
        return paths

    def reports(self) -> Sequence[Path]:
        """All files of reports, oldest first. Other files in the directory are left out."""
        return sorted(self._directory.glob(f"{self._name}-*Z.*"))

    def _remove_old(self) -> None:
        made = sorted({path.name.rpartition(".")[0] for path in self.reports()})
        for stem in made[: -self._kept]:
            for path in self._directory.glob(f"{stem}.*"):
                path.unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    """Readers see the whole file or none."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    whole = Path(file.name)
    whole.chmod(0o644)
    whole.replace(path)
