"""``python -m docs.site``: builds the site into ``.site/html``; ``--write`` only brings generated tables up to date."""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from docs.site.diagrams import draw_diagrams
from docs.site.generated import commands_page, fill_tables, requests_page, write_tables
from docs.site.links import problems_of
from docs.site.pages import REPOSITORY, pages, rewrite_links
from schedules_pipeline.connections import build_store, utc_now
from schedules_pipeline.delivery.__main__ import build_delivery
from schedules_pipeline.delivery.application import build_application
from schedules_pipeline.settings import Settings

_HERE: Final = Path(__file__).parent


def stage(folder: Path, openapi: dict[str, Any]) -> None:
    """Write every page as the site needs it, with images and configuration, into an empty ``folder``."""
    targets = pages()
    written = folder / "pages"
    for source, target in targets.items():
        text = rewrite_links(fill_tables((REPOSITORY / source).read_text()), source, targets)
        page = written / target
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(draw_diagrams(text, target, written))
    (written / "reference/commands.md").write_text(commands_page())
    (written / "reference/requests.md").write_text(requests_page(openapi))
    (written / "reference/openapi.json").write_text(json.dumps(openapi, indent=1))
    shutil.copytree(REPOSITORY / "docs/images", written / "images", dirs_exist_ok=True)
    shutil.copytree(_HERE / "assets", written / "assets")
    shutil.copy(_HERE / "zensical.toml", folder)


def build(folder: Path, openapi: dict[str, Any]) -> list[str]:
    """Build the site into ``folder``. Returns its problems, a line each."""
    shutil.rmtree(folder, ignore_errors=True)
    stage(folder, openapi)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", "zensical.toml"]
    environment = os.environ | {"NO_COLOR": "1"}
    built = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if built.returncode:
        return [built.stdout + built.stderr]
    return problems_of(folder / "html")


def _openapi() -> dict[str, Any]:
    """As the delivery service describes itself; nothing is connected to."""
    settings = Settings()
    store = build_store(settings, 1.0)
    return build_application(build_delivery(store, settings, utc_now)).openapi()


def main() -> int:
    """Returns the exit status: 1 if the site has problems."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help="bring generated tables up to date, build nothing"
    )
    if parser.parse_args().write:
        for page in write_tables(REPOSITORY / source for source in pages()):
            print(f"updated {page.relative_to(REPOSITORY)}")  # noqa: T201
        return 0
    problems = build(REPOSITORY / ".site", _openapi())
    print("\n".join(problems) or "the site is in .site/html/index.html")  # noqa: T201
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
