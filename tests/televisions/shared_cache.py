"""nginx as a shared cache in front of the service, as a CDN is: it obeys ``Cache-Control`` and revalidates."""

import http.client
import os
import shutil
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from demo.servers import LOOPBACK, LoopbackServer

_CONFIGURATION = """\
daemon off;
master_process off;
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/temp;
    proxy_temp_path {directory}/temp;
    fastcgi_temp_path {directory}/temp;
    uwsgi_temp_path {directory}/temp;
    scgi_temp_path {directory}/temp;
    proxy_cache_path {directory}/cache keys_zone=televisions:10m use_temp_path=off;
    server {{
        listen 127.0.0.1:{port};
        location /dvb-i/ {{
            proxy_pass http://127.0.0.1:{origin};
            proxy_http_version 1.1;
            proxy_set_header Host $host:{port};
            proxy_set_header Cookie "";
            proxy_set_header Authorization "";
            proxy_cache televisions;
            proxy_cache_key $request_uri;
            proxy_cache_revalidate on;
            proxy_cache_lock on;
            proxy_cache_background_update on;
            proxy_cache_use_stale updating error timeout;
            add_header X-Cache $upstream_cache_status;
        }}
        location / {{ return 404; }}
    }}
}}
"""


def find_nginx() -> str | None:
    """Also in /usr/sbin, which is not in every user's PATH."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class SharedCache(LoopbackServer):
    """``origin``: the port of the service."""

    def __init__(self, directory: Path, executable: str, origin: int) -> None:
        super().__init__("nginx", directory, None, "")
        self._executable, self._origin = executable, origin

    def _command(self, port: int) -> list[str]:
        path = self.directory / "nginx.conf"
        path.write_text(_CONFIGURATION.format(directory=self.directory, port=port, origin=self._origin))
        return [self._executable, "-p", str(self.directory), "-c", str(path)]

    def _environment(self, _: int) -> Mapping[str, str] | None:
        return None

    def _is_ready(self, port: int, pid: int) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status == HTTPStatus.NOT_FOUND
        except OSError:
            return False
        finally:
            connection.close()
