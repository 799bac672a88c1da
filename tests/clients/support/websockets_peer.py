"""Echoes messages with the server at an address, by way of python3-websockets.

    websockets_peer.py <url> <parameters as JSON, or "null" for no compression>

The parameters are those of ClientPerMessageDeflateFactory. Prints what was agreed on.
"""

import asyncio
import json
import random
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory


def messages():
    rows = [{"id": i, "name": f"row {i % 7}", "price": i * 1.25} for i in range(400)]
    yield ""
    yield b""
    yield "Hello"
    yield "Hello"
    yield "grüße 語 😀" * 100
    yield json.dumps(rows)
    yield json.dumps(rows)
    yield random.Random(5).randbytes(300_000)
    yield b"x" * 5_000_000
    yield "y" * 5_000_000
    yield [json.dumps(row) for row in rows]  # a message in fragments


async def talk(url, parameters):
    extensions = None if parameters is None else [ClientPerMessageDeflateFactory(**parameters)]
    async with websockets.connect(
        url, compression=None, extensions=extensions, max_size=2**26
    ) as socket:
        print(socket.response_headers.get("Sec-WebSocket-Extensions", "none"))
        for message in messages():
            await socket.send(message)
            pong = await socket.ping()
            echoed = await socket.recv()
            whole = "".join(message) if isinstance(message, list) else message
            if echoed != whole:
                raise SystemExit(f"{len(whole)} characters came back as {len(echoed)}")
            await pong


asyncio.run(talk(sys.argv[1], json.loads(sys.argv[2])))
