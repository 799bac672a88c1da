// A page with the clients of page_clients.js, served from an origin of its own.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const page = '<!doctype html><title>clients</title><link rel="icon" href="data:,"><script src="page_clients.js"></script>';

export async function servePage() {
    const script = await readFile(new URL('page_clients.js', import.meta.url));
    const server = createServer((request, response) => {
        const isScript = request.url === '/page_clients.js';
        response.writeHead(200, { 'Content-Type': isScript ? 'text/javascript' : 'text/html' });
        response.end(isScript ? script : page);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return {
        url: `http://127.0.0.1:${server.address().port}/`,
        close() {
            server.closeAllConnections();
            server.close();
        },
    };
}
