// A TCP proxy between clients and a server that does to connections what networks do to them.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/// Breaks a connection with a reset. One that is being shut down is closed instead: libuv refuses to
/// reset it, and Node then keeps the handle and never ends.
export function breakOff(socket) {
    if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
}

/// @param port  where the server listens on the loopback; `target` changes it for new connections
export async function startProxy(port) {
    const pairs = new Set();
    let target = port;
    let isStalled = false;
    let dripBytes = 0;
    let sentBytes = 0;

    /// Copies one direction, a few bytes at a time if asked to.
    const carry = (from, to) => {
        from.on('data', (bytes) => {
            const step = dripBytes || bytes.length;
            for (let i = 0; i < bytes.length; i += step) to.write(bytes.subarray(i, i + step));
            if (to.writableNeedDrain) {
                from.pause();
                to.once('drain', () => isStalled || from.resume());
            }
        });
        from.on('end', () => to.end());
        from.on('error', () => to.destroy());
        from.on('close', () => to.destroyed || to.end());
    };

    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
        const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
        const pair = { client, upstream };
        pairs.add(pair);
        client.on('data', (bytes) => (sentBytes += bytes.length));
        carry(client, upstream);
        carry(upstream, client);
        if (isStalled) upstream.pause();
        client.on('close', () => pairs.delete(pair));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');

    const cut = () => {
        for (const { client, upstream } of pairs) {
            breakOff(client);
            breakOff(upstream);
        }
        pairs.clear();
    };
    return {
        port: server.address().port,
        url: `http://127.0.0.1:${server.address().port}/live`,
        /// What clients have sent through it so far.
        sentBytes: () => sentBytes,
        target(to) {
            target = to;
        },

        /// Breaks every connection without a good-bye on either side.
        cut,

        /// Takes nothing more from the server, until `resume`.
        stall() {
            isStalled = true;
            for (const { upstream } of pairs) upstream.pause();
        },
        resume() {
            isStalled = false;
            for (const { upstream } of pairs) upstream.resume();
        },

        /// Passes everything on in writes of so many bytes; 0 as it comes.
        drip(bytes) {
            dripBytes = bytes;
        },

        async close() {
            cut();
            server.close();
            await once(server, 'close');
        },
    };
}
