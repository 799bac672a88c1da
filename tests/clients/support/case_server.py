"""Serves the paths of a fuzzing server with websockets: sends messages, wants them back.

    case_server.py <deflate|plain> [certificate key]

Prints its port, then a line for each case: "ok", or what went wrong."""

import asyncio
import ssl
import sys

import websockets

SIZES = [0, 1, 125, 126, 65535, 65536, 300000]


async def run_case(socket):
    messages = ["é" * size for size in SIZES] + [bytes(i % 256 for i in range(size)) for size in SIZES]
    for message in messages:
        await socket.send(message)
        pong = await socket.ping()
        if await socket.recv() != message:
            raise ValueError(f"message of {len(message)} came back wrong")
        await pong
    await socket.send(["in ", "three ", "fragments"])
    if await socket.recv() != "in three fragments":
        raise ValueError("fragments came back wrong")
    await socket.close(4001, "done")
    if socket.close_rcvd is None or socket.close_rcvd.code != 4001:
        raise ValueError("the close code came back wrong")


async def serve(socket):
    if socket.path == "/getCaseCount":
        await socket.send("1")
    elif socket.path.startswith("/runCase?"):
        try:
            has_deflate = bool(socket.extensions)
            await run_case(socket)
            print("ok deflate" if has_deflate else "ok plain", flush=True)
        except Exception as why:
            print(repr(why), flush=True)
    await socket.close()


async def main():
    context = None
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
    compression = "deflate" if sys.argv[1] == "deflate" else None
    server = await websockets.serve(serve, "127.0.0.1", 0, ssl=context, compression=compression)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


asyncio.run(main())
