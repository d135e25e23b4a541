"""Redis over TLS: the client against a server with TLS, started as ``deploy/redis`` does, and against a TLS
terminator, because some builds of the server lack TLS.
"""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Thread

import pytest
import trustme
from fakes import FakeClock, FakeUpstreams, fake_upstreams
from redis import Redis
from redis_users import PASSWORD, RULES, grant, url_as
from workers import Server, build_everything, contents, load_sample, pipeline_on

from demo.servers import LOOPBACK, LoopbackServer, RedisServer, find_free_port, is_free
from schedules_pipeline.errors import ServiceError
from schedules_pipeline.store.link import RedisLink, connect

_USERS = ("pipeline", "operator", "monitoring", "delivery", "pusher")
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of an authority, and of a server with its certificate for ``name``."""

    authority: Path
    certificate: Path
    key: Path

    @classmethod
    def made(cls, directory: Path, name: str = LOOPBACK) -> "Certificates":
        ca = trustme.CA()
        issued = ca.issue_cert(name)
        found = cls(*(directory / f"{kind}.pem" for kind in ("authority", "certificate", "key")))
        ca.cert_pem.write_to_path(found.authority)
        issued.private_key_pem.write_to_path(found.key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(found.certificate, append=True)
        return found


class SecuredRedis(LoopbackServer):
    """A Redis started by the start script, with the configuration and the users of ``deploy/redis``."""

    def __init__(self, directory: Path, executable: Path, certificates: Certificates) -> None:
        super().__init__("redis", directory, None, "SCHEDULES_REDIS_PORT")
        self._executable = executable
        self._certificates = certificates

    def _command(self, port: int) -> list[str]:
        of_tls = self._certificates
        places = {
            "--tls-port": str(port),
            "--bind": LOOPBACK,
            "--dir": str(self.directory),
            "--aclfile": str(self.directory / "users.acl"),
            "--tls-cert-file": str(of_tls.certificate),
            "--tls-key-file": str(of_tls.key),
            "--tls-ca-cert-file": str(of_tls.authority),
        }
        options = [word for place in places.items() for word in place]
        folder = RULES.parent
        start = ["/bin/sh", str(folder / "start.sh"), str(self._executable), str(folder / "redis.conf")]
        return [*start, *options]

    def _environment(self, port: int) -> Mapping[str, str]:
        for user in _USERS:
            (self.directory / f"redis_{user}_password").write_text(PASSWORD)
        places = {"SECRETS": self.directory, "RULES": RULES, "LOADED": self.directory / "users.acl"}
        return {"PATH": "/usr/bin:/bin", **{name: str(place) for name, place in places.items()}}

    def _is_ready(self, port: int, pid: int) -> bool:
        return not is_free(port)


class Terminator:
    """Terminates TLS on its own port and forwards to a server without TLS."""

    def __init__(self, certificates: Certificates, port_behind: int) -> None:
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificates.certificate, certificates.key)
        self._behind = (LOOPBACK, port_behind)
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                Thread(target=self._serve, args=(self._listening.accept()[0],), daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        """Forward until either side closes."""
        with suppress(OSError), ExitStack() as open_ones:
            client = open_ones.enter_context(closing(self._context.wrap_socket(raw, server_side=True)))
            server = open_ones.enter_context(closing(socket.create_connection(self._behind)))
            back = Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


def _of_the_system() -> list[Path]:
    found = shutil.which("redis-server")
    return [Path(found)] if found else []


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates.made(tmp_path)


@pytest.fixture(params=["its own", "in front"])
def port(
    request: pytest.FixtureRequest, redis_executable: Path, certificates: Certificates, tmp_path: Path
) -> Iterator[int]:
    """A TLS port of a Redis with the users of ``deploy/redis``."""
    if request.param == "in front":
        client = request.getfixturevalue("redis_client")
        grant(client, _USERS)
        server: RedisServer = request.getfixturevalue("redis_server")
        with closing(Terminator(certificates, server.port)) as terminator:
            yield terminator.port
        client.execute_command("ACL DELUSER", *_USERS)
        return
    executable = next(filter(_has_tls, (redis_executable, *_of_the_system())), None)
    if executable is None:
        pytest.skip("no Redis with TLS: install redis-server, or name one in SCHEDULES_REDIS_SERVER")
    with SecuredRedis(tmp_path / "redis", executable, certificates) as secured:
        yield secured.port


def _has_tls(executable: Path) -> bool:
    """Whether this build has TLS: only then does the server complain about missing files."""
    asked = [
        str(executable),
        "--port",
        "0",
        "--tls-port",
        str(find_free_port()),
        "--tls-cert-file",
        "/missing",
    ]
    ended = subprocess.run(asked, capture_output=True, text=True, check=False)
    return "Failed to configure TLS" in ended.stdout


@pytest.fixture
def source() -> FakeUpstreams:
    return fake_upstreams(FakeClock(), Random(0))


def _url(user: str, port: int, authority: Path | None) -> str:
    """The address as settings have it. Verification is the default, and the address names the authority."""
    url = url_as(user, f"rediss://{LOOPBACK}:{port}/0")
    return url if authority is None else f"{url}?ssl_ca_certs={authority}"


def test_schedules_are_published_over_tls_as_a_user(
    port: int,
    certificates: Certificates,
    source: FakeUpstreams,
    redis_server: RedisServer,
    redis_client: Redis,
) -> None:
    """The pipeline's user publishes a sample over TLS, and monitoring and delivery read it over TLS."""
    keys = load_sample(Server(redis_server.url, is_cluster=False), source)[1]
    server = Server(_url("pipeline", port, certificates.authority), is_cluster=False)
    pipeline = pipeline_on(server, "schedules", source)

    build_everything(pipeline, keys)

    watching = pipeline_on(
        Server(_url("monitoring", port, certificates.authority), is_cluster=False), "schedules", source
    )
    assert all(contents(pipeline, keys).values())
    assert watching.store.feed.count_schedules() == len(keys)
    with Redis.from_url(_url("delivery", port, certificates.authority)) as client:
        assert client.get(f"schedules:document:{{{keys[0]}}}")


def test_a_server_of_an_authority_that_is_not_named_is_not_spoken_to(port: int) -> None:
    """Without the authority's certificate, verification fails with a clear error."""
    link = RedisLink(connect(_url("pipeline", port, None)))

    with pytest.raises(ServiceError, match="certificate verify failed") as caught:
        link.call("GET", "schedules:{journal}:publisher")

    assert PASSWORD not in str(caught.value)


def test_a_certificate_of_another_host_is_rejected(
    redis_server: RedisServer, redis_client: Redis, tmp_path: Path
) -> None:
    """A valid certificate for another host name is rejected."""
    elsewhere = Certificates.made(tmp_path, "redis.example.org")

    with closing(Terminator(elsewhere, redis_server.port)) as terminator:
        link = RedisLink(
            connect(f"rediss://{LOOPBACK}:{terminator.port}/0?ssl_ca_certs={elsewhere.authority}")
        )
        with pytest.raises(ServiceError, match="certificate"):
            link.call("GET", "schedules:{journal}:publisher")


def test_without_tls_there_is_no_answer(port: int) -> None:
    """A client without TLS gets no answer from that port."""
    link = RedisLink(connect(url_as("pipeline", f"redis://{LOOPBACK}:{port}/0"), timeout_seconds=3))

    with pytest.raises(ServiceError):
        link.call("GET", "schedules:{journal}:publisher")
