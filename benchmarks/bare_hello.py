"""``python -m benchmarks.bare_hello PORT``: the least that the framework of the delivery service can answer.

One route of FastAPI's, under uvicorn as the delivery service runs it; nothing else.
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
