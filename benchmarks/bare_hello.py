"""``python -m benchmarks.bare_hello PORT``: one FastAPI route that says hello.

It runs under uvicorn as the delivery service does, and shows the framework's highest rate.
"""

import sys

import uvicorn
from fastapi import FastAPI, Response

TEXT = b"hello"


def build_application() -> FastAPI:
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @application.get("/hello")
    async def say_hello() -> Response:
        return Response(TEXT, media_type="text/plain")

    return application


def main() -> None:
    uvicorn.run(
        build_application(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
