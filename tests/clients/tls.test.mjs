// The same server over TLS, for peers with four TLS implementations of their own or of others:
// Node's, curl's, Python's and Chromium's.

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { makeCertificates } from './support/certificates.mjs';
import { numbers } from './support/delivery_cases.mjs';
import { Inbox } from './support/inbox.mjs';
import { startHub } from './support/open_hub.mjs';
import { startExample } from './support/program.mjs';
import { until, within } from './support/wait.mjs';

// Debian's module is found by Debian's Python.
const python = '/usr/bin/python3';
const noPython = spawnSync(python, ['-c', 'import websockets']).status !== 0 && 'there is no python3-websockets';

describe('TLS', { timeout: 120_000 }, () => {
    let certificates;
    let hub;
    let echo;
    before(async () => {
        certificates = await makeCertificates();
        hub = await startHub({}, certificates.args);
        echo = await startExample('echo_server', ['--port', '0', ...certificates.args]);
    });
    after(async () => {
        await hub?.stop();
        await echo?.stop();
        await certificates?.remove();
    });

    async function connect(url, options = {}) {
        const socket = new WebSocket(url, { ca: certificates.ca, ...options });
        const inbox = new Inbox();
        socket.on('message', (data, isBinary) => inbox.push([data, isBinary]));
        socket.on('close', (code, reason) => inbox.end(`${code} ${reason}`));
        await within(once(socket, 'open'), 'open WebSocket');
        return { socket, inbox };
    }

    const curl = async (...args) =>
        (await promisify(execFile)('curl', ['-sS', '--max-time', '20', '--cacert', certificates.caFile, ...args])).stdout;
    const publish = (channel, data) =>
        curl('-H', 'Content-Type: application/json', '-d', JSON.stringify(data), `${hub.url}/publish?channel=${channel}`);

    for (const version of ['TLSv1.2', 'TLSv1.3']) {
        test(`ws gets its messages back over ${version}, small and large`, async () => {
            const { socket, inbox } = await connect(`${echo.url}any/path`, { minVersion: version, maxVersion: version });
            assert.equal(socket._socket.getProtocol(), version);
            for (const size of [0, 1, 16_383, 16_384, 16_385, 1_000_000]) {
                const bytes = randomBytes(size);
                socket.send(bytes);
                assert.deepEqual(await inbox.next(), [bytes, true]);
                const text = bytes.toString('hex');
                socket.send(text);
                assert.deepEqual(await inbox.next(), [Buffer.from(text), false]);
            }
            socket.close(1000);
            const [code] = await within(once(socket, 'close'), 'close');
            assert.equal(code, 1000);
        });
    }

    test('ws gets the events that were published, in order', async () => {
        const { socket, inbox } = await connect(`${hub.url.replace('http', 'ws')}/ws/raw/ws?cursor=oldest`);
        const publisher = await connect(`${hub.url.replace('http', 'ws')}/ws`);
        for (const n of numbers(1, 300)) publisher.socket.send(`{"publish":"ws","data":${n}}`);
        for (const n of numbers(1, 300)) assert.equal((await inbox.next())[0].toString(), `${n}`);
        socket.terminate();
        publisher.socket.terminate();
    });

    test('Node polls on one connection, and resumes the session on the next', async () => {
        await publish('node', 1);
        const agent = new https.Agent({ ca: certificates.ca, keepAlive: true, maxSockets: 1 });
        const sockets = new Set();
        const poll = async () => {
            const request = https.get(`${hub.url}/poll?channel=node&cursor=oldest`, { agent });
            const [response] = await within(once(request, 'response'), 'response');
            const { socket } = response;
            sockets.add(socket);
            let text = '';
            for await (const part of response) text += part;
            assert.equal(JSON.parse(text).events[0].data, 1);
            return socket;
        };
        for (let i = 0; i < 3; ++i) await poll();
        assert.equal(sockets.size, 1);
        const [first] = sockets;
        first.destroy();
        await within(once(first, 'close'), 'close');
        assert.ok((await poll()).isSessionReused());
        agent.destroy();
    });

    for (const version of ['1.2', '1.3']) {
        test(`curl polls, and reads a stream over TLS ${version}`, async () => {
            const only = [`--tlsv${version}`, '--tls-max', version];
            const channel = `curl${version}`;
            await publish(channel, 1);
            const { events } = JSON.parse(await curl(...only, `${hub.url}/poll?channel=${channel}&cursor=oldest`));
            assert.equal(events[0].data, 1);
            const reader = spawn('curl', ['-sSN', ...only, '--cacert', certificates.caFile, `${hub.url}/sse?channel=${channel}&cursor=oldest`]);
            let text = '';
            reader.stdout.on('data', (part) => (text += part));
            await until(() => text.includes('"data":1}'), 'first event');
            await publish(channel, 2);
            await until(() => text.includes('"data":2}'), 'second event');
            reader.kill();
        });
    }

    test('curl is told to use TLS, and that TLS 1.1 is too old', async () => {
        const plain = await curl(hub.url.replace('https', 'http'));
        assert.match(plain, /tls_required/);
        await assert.rejects(curl('--tls-max', '1.1', '--ciphers', 'DEFAULT@SECLEVEL=0', hub.url), /alert protocol version/);
    });

    test('websockets of Python gets its messages back', { skip: noPython }, async () => {
        const script = `
import asyncio, ssl, sys, websockets
async def main(url, ca):
    context = ssl.create_default_context(cafile=ca)
    async with websockets.connect(url, ssl=context, max_size=None) as socket:
        for message in ("text", b"bytes", "x" * 100_000, b"y" * 3_000_000):
            await socket.send(message)
            assert await socket.recv() == message
    print(socket.close_code)
asyncio.run(main(*sys.argv[1:]))`;
        const { stdout } = await promisify(execFile)(python, ['-c', script, echo.url, certificates.caFile], { timeout: 30_000 });
        assert.equal(stdout.trim(), '1000');
    });

    test('a page of Chromium gets events by every transport', { skip: noBrowser }, async () => {
        await publish('page', 1);
        const browser = await startBrowser({ ignoreHTTPSErrors: true });
        try {
            const { page } = await browser.open(`${hub.url}/poll?channel=page`);
            const found = await page.evaluate(async () => {
                const at = `${location.host}/live`;
                const webSocket = new Promise((resolve, reject) => {
                    const socket = new WebSocket(`wss://${at}/ws/raw/page?cursor=oldest`);
                    socket.onmessage = ({ data }) => resolve(data);
                    socket.onerror = () => reject(new Error('WebSocket failed'));
                });
                const eventSource = new Promise((resolve) => {
                    const source = new EventSource('/live/sse/raw/page?cursor=oldest');
                    source.onmessage = ({ data }) => resolve(data);
                });
                const poll = async (query) => (await (await fetch(`/live/poll?channel=page${query}`)).json()).events[0].data;
                return Promise.all([webSocket, eventSource, poll('&cursor=oldest&wait=20'), poll('')]);
            });
            assert.deepEqual(found, ['1', '1', 1, 1]);
        } finally {
            await browser.close();
        }
    });
});
