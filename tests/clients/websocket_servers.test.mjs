// livetape's client, as examples/autobahn_client, against servers that others have written.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createPlain } from 'node:http';
import { createServer as createSecure } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { makeCertificate } from './support/certificate.mjs';
import { within } from './support/wait.mjs';

const build = process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../build/debug', import.meta.url));
const program = join(build, 'examples', 'autobahn_client');

/// Runs the client to its end; its exit status and what it complained of.
async function runClient(...options) {
    const child = spawn(program, options, { stdio: ['ignore', 'ignore', 'pipe'] });
    let complaint = '';
    child.stderr.on('data', (bytes) => (complaint += bytes));
    const [status] = await within(once(child, 'close'), 'end of autobahn_client');
    return { status, complaint };
}

/// A server of ws with one case: messages that must come back, then a close.
async function startWs({ certificate, perMessageDeflate, wantsCertificate }) {
    const server = certificate
        ? createSecure({ key: certificate.key, cert: certificate.cert, ca: certificate.cert, requestCert: wantsCertificate })
        : createPlain();
    const sockets = new WebSocketServer({ server, perMessageDeflate, maxPayload: 1 << 24 });
    const results = [];
    sockets.on('connection', async (socket, request) => {
        socket.on('error', (why) => results.push(`${why}`));
        if (request.url === '/getCaseCount') socket.send('1');
        if (!request.url.startsWith('/runCase')) return socket.close();
        const sizes = [0, 1, 125, 126, 65535, 65536, 300000];
        const sent = [...sizes.map((size) => 'é'.repeat(size)), ...sizes.map((size) => Buffer.alloc(size, size))];
        const received = [];
        socket.on('message', (data, isBinary) => received.push(isBinary ? data : data.toString()));
        for (const each of sent) socket.send(each);
        socket.send('in ', { fin: false });
        socket.ping('between');
        socket.send('fragments', { fin: true });
        const [pong] = await once(socket, 'pong');
        while (received.length <= sent.length) await once(socket, 'message');
        socket.close(4001, 'done');
        const [code] = await once(socket, 'close');
        results.push({ isSame: JSON.stringify(received) === JSON.stringify([...sent, 'in fragments']), pong: `${pong}`, code, extensions: socket.extensions });
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {
        url: `${certificate ? 'wss' : 'ws'}://127.0.0.1:${server.address().port}`,
        results,
        stop: () => new Promise((done) => server.close(done)),
    };
}

async function startPython(...options) {
    const script = fileURLToPath(new URL('support/case_server.py', import.meta.url));
    // The system's Python is the one that the system's package is for.
    const child = spawn('/usr/bin/python3', [script, ...options], { stdio: ['ignore', 'pipe', 'inherit'] });
    process.on('exit', () => child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async () => (await within(lines.next(), 'line of case_server.py')).value;
    const port = await line();
    return { port, line, stop: () => child.kill('SIGKILL') };
}

describe('the WebSocket client against other servers', () => {
    let certificate;
    before(() => (certificate = makeCertificate()));
    after(() => certificate.remove());

    for (const isSecure of [false, true])
        for (const isDeflated of [false, true]) {
            const how = `${isSecure ? 'wss' : 'ws'}, ${isDeflated ? 'deflate' : 'plain'}`;
            const options = () => [...(isSecure ? ['--ca', certificate.certFile] : [])];

            test(`ws: ${how}`, async () => {
                const server = await startWs({ certificate: isSecure ? certificate : null, perMessageDeflate: isDeflated });
                assert.deepEqual(await runClient('--url', server.url, ...options()), { status: 0, complaint: '' });
                await server.stop();
                assert.deepEqual(server.results, [{ isSame: true, pong: 'between', code: 4001, extensions: isDeflated ? 'permessage-deflate' : '' }]);
            });

            test(`python3-websockets: ${how}`, async () => {
                const files = isSecure ? [certificate.certFile, certificate.keyFile] : [];
                const server = await startPython(isDeflated ? 'deflate' : 'plain', ...files);
                const url = `${isSecure ? 'wss' : 'ws'}://127.0.0.1:${server.port}`;
                const outcome = await runClient('--url', url, ...options());
                server.stop();
                assert.deepEqual(outcome, { status: 0, complaint: '' });
                assert.equal(await server.line(), isDeflated ? 'ok deflate' : 'ok plain');
            });
        }

    test('a server that asks for a certificate gets it', async () => {
        const server = await startWs({ certificate, wantsCertificate: true });
        const trust = ['--url', server.url, '--ca', certificate.certFile];
        assert.equal((await runClient(...trust)).status, 1);
        const shown = await runClient(...trust, '--cert', certificate.certFile, '--key', certificate.keyFile);
        await server.stop();
        assert.deepEqual(shown, { status: 0, complaint: '' });
        assert.equal(server.results.length, 1);
    });

    test('an authority that is not trusted is refused', async () => {
        const server = await startWs({ certificate });
        const { status, complaint } = await runClient('--url', server.url);
        await server.stop();
        assert.equal(status, 1);
        assert.match(complaint, /certificate verify failed/);
    });

    test('a certificate for another name is refused', async () => {
        const server = await startWs({ certificate });
        const url = server.url.replace('127.0.0.1', '127.0.0.2');
        const other = createSecure({ key: certificate.key, cert: certificate.cert });
        await new Promise((done) => other.listen(Number(new URL(url).port), '127.0.0.2', done));
        const { status, complaint } = await runClient('--url', url, '--ca', certificate.certFile);
        await server.stop();
        await new Promise((done) => other.close(done));
        assert.equal(status, 1);
        assert.match(complaint, /certificate verify failed/);
    });
});
