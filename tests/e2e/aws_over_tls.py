"""TLS in front of a plain HTTP server: Deputy speaks plain text to no endpoint but its own machine's."""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path


class TlsFront:
    """Accepts TLS on `address` and passes the bytes on to a port of 127.0.0.1, until the process ends."""

    def __init__(self, address: tuple[str, int], upstream_port: int, certificate: Path, key: Path) -> None:
        self._address, self._upstream_port = address, upstream_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        listening = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(listening)), daemon=True).start()
        if not listening.wait(5):
            raise RuntimeError(f"can't listen on {address}")

    async def _serve(self, listening: threading.Event) -> None:
        server = await asyncio.start_server(self._connection, *self._address, ssl=self._context)
        listening.set()
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    # TLS has no half-closed connections: when one side ends, both do.
    writer.close()
