"""DVB's reference client, served to a browser. Its sources are not part of this repository: ``SCHEDULES_DVB_I_CLIENT``
names their directory (``DVBProject/DVB-I-Reference-Client``).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

CLIENT_VARIABLE = "SCHEDULES_DVB_I_CLIENT"
PLAYER_VARIABLE = "SCHEDULES_DASH_JS"
"""The file of dash.js, which the client takes from a CDN. Without it, a player that plays nothing stands in."""

_PAGE = "/frontend/android/player.html"
_CDN = b"https://cdn.dashjs.org/v5.2.0/modern/umd/dash.all.min.js"
_PLAYER = "/player.js"
_NO_PLAYER = b"""
const nothing = new Proxy(function () {}, { get: () => nothing, apply: () => nothing });
window.dashjs = { MediaPlayer: () => ({ create: () => nothing }) };
"""


class _Pages(SimpleHTTPRequestHandler):
    """The client's files, unchanged but for the address of dash.js."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == _PLAYER:
            named = os.environ.get(PLAYER_VARIABLE)
            self._answer(Path(named).read_bytes() if named else _NO_PLAYER, "text/javascript")
        elif path == _PAGE:
            page = Path(self.directory, _PAGE.lstrip("/")).read_bytes()
            self._answer(page.replace(_CDN, _PLAYER.encode()), "text/html")
        else:
            super().do_GET()

    def _answer(self, body: bytes, media_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving_client(directory: str) -> Iterator[str]:
    """The address of the client's page, which takes the address of a service list."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Pages, directory=directory)) as server:
        thread = Thread(target=server.serve_forever, name="reference client")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{_PAGE}?servicelist="
        finally:
            server.shutdown()
            thread.join()


def page_of(client: str, service_list: str) -> str:
    return client + quote(service_list, safe="")
