"""Reports as files in a directory, named by their time. Old reports are removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schedules_pipeline.outbound.whole_file import whole_file


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """``name``: the beginning of every file's name. ``kept``: the number of reports that are kept."""

    directory: Path
    name: str
    kept: int

    def put(self, at: datetime, files: Mapping[str, bytes]) -> Mapping[str, Path]:
        self.directory.mkdir(parents=True, exist_ok=True)
        stem = f"{self.name}-{at:%Y%m%dT%H%M%S}.{at.microsecond:06}Z"
        paths = {ending: self.directory / f"{stem}.{ending}" for ending in files}
        for ending, content in files.items():
            with whole_file(paths[ending]) as file:
                file.write(content)
        self._remove_old()
        return paths

    def reports(self) -> Sequence[Path]:
        """All files of reports, oldest first. Other files in the directory are left out."""
        return sorted(self.directory.glob(f"{self.name}-*Z.*"))

    def _remove_old(self) -> None:
        made = sorted({path.name.rpartition(".")[0] for path in self.reports()})
        for stem in made[: -self.kept]:
            for path in self.directory.glob(f"{stem}.*"):
                path.unlink(missing_ok=True)
