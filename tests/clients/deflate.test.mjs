// permessage-deflate with independent peers: ws of npm, Debian's python3-websockets, and Chromium.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { noBrowser, startBrowser } from './support/browser.mjs';
import { makeCertificates } from './support/certificates.mjs';
import { Inbox } from './support/inbox.mjs';
import { startExample } from './support/program.mjs';
import { within } from './support/wait.mjs';

const run = promisify(execFile);
const python = '/usr/bin/python3';
const peer = fileURLToPath(new URL('support/websockets_peer.py', import.meta.url));
const noWebsockets = await run(python, ['-c', 'import websockets']).then(
    () => false,
    () => 'there is no python3-websockets',
);

const rows = JSON.stringify(Array.from({ length: 400 }, (_, id) => ({ id, name: `row ${id % 7}`, price: id * 1.25 })));
const messages = ['', Buffer.alloc(0), 'Hello', 'Hello', 'grüße 語 😀'.repeat(100), rows, rows,
    randomBytes(300_000), Buffer.alloc(5_000_000, 'x'), 'y'.repeat(5_000_000)];

/// A connected socket with an inbox of messages, text as strings.
async function open(url, perMessageDeflate) {
    const socket = new WebSocket(url, { perMessageDeflate, maxPayload: 1 << 26 });
    const inbox = new Inbox();
    socket.on('message', (data, isBinary) => inbox.push(isBinary ? data : data.toString()));
    socket.on('close', (code, reason) => inbox.end(`${code} ${reason}`));
    await within(once(socket, 'open'), 'open WebSocket');
    return { socket, inbox };
}

for (const takesOver of [false, true])
    describe(`permessage-deflate ${takesOver ? 'with' : 'without'} context takeover`, () => {
        let server;
        before(async () => {
            const flags = takesOver ? ['--context-takeover'] : [];
            server = await startExample('echo_server', ['--port', '0', '--deflate', ...flags]);
        });
        after(() => server?.stop());

        const none = takesOver ? '' : '; server_no_context_takeover; client_no_context_takeover';
        const offers = [
            [{}, `permessage-deflate${none}`],
            [{ serverNoContextTakeover: true, clientNoContextTakeover: true },
                'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
            [{ serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
                `permessage-deflate${none}; server_max_window_bits=9; client_max_window_bits=9`],
            [{ serverMaxWindowBits: 12 }, `permessage-deflate${none}; server_max_window_bits=${takesOver ? 12 : 9}`],
            [{ serverMaxWindowBits: 8 }, ''],
            [false, ''],
        ];
        for (const [offer, agreed] of offers)
            test(`ws offers ${JSON.stringify(offer)} and gets everything back`, async () => {
                const options = offer && { threshold: 0, ...offer };
                const { socket, inbox } = await open(server.url, options);
                assert.equal(socket.extensions, agreed && 'permessage-deflate');
                for (const message of messages) {
                    socket.send(message);
                    socket.ping('between');
                    const echoed = await inbox.next();
                    assert.ok(Buffer.from(echoed).equals(Buffer.from(message)));
                    assert.equal(typeof echoed, typeof message);
                }
                socket.close(1000);
                await within(once(socket, 'close'), 'close');
            });

        test('ws sends a compressed message in fragments with pings between', async () => {
            const { socket, inbox } = await open(server.url, { threshold: 0 });
            for (let i = 0; i < 50; ++i) {
                socket.send(rows.slice(0, 1000), { fin: false });
                socket.ping(`${i}`);
            }
            socket.send('', { fin: true });
            assert.equal(await inbox.next(), rows.slice(0, 1000).repeat(50));
            socket.terminate();
        });

        const factories = [
            [{}, takesOver ? 'permessage-deflate' : `permessage-deflate${none}`],
            [{ server_no_context_takeover: true, client_no_context_takeover: true },
                'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
            [{ server_max_window_bits: 10, client_max_window_bits: 10 },
                `permessage-deflate${none}; server_max_window_bits=${takesOver ? 10 : 9}; client_max_window_bits=10`],
            [{ server_max_window_bits: 15, client_max_window_bits: true },
                `permessage-deflate${none}; server_max_window_bits=15`],
            [null, 'none'],
        ];
        for (const [parameters, agreed] of factories)
            test(`python3-websockets offers ${JSON.stringify(parameters)} and gets everything back`,
                { skip: noWebsockets }, async () => {
                    const { stdout } = await within(
                        run(python, [peer, server.url, JSON.stringify(parameters)]), 'end of the peer', 60_000);
                    assert.equal(stdout.trim(), agreed);
                });
    });

describe('Chromium echoes', { skip: noBrowser }, () => {
    let browser, certificates;
    before(async () => {
        certificates = await makeCertificates();
        browser = await startBrowser({ ignoreHTTPSErrors: true });
    });
    after(async () => {
        await browser?.close();
        await certificates?.remove();
    });

    for (const hasTls of [false, true])
        for (const flags of [[], ['--deflate'], ['--deflate', '--context-takeover']])
            test(`over ${hasTls ? 'TLS' : 'TCP'} ${flags.join(' ')}`, async () => {
                const server = await startExample('echo_server', [
                    '--port', '0', ...flags, ...(hasTls ? certificates.args : []),
                ]);
                // A page of the server itself, whatever it says, so that its certificate is accepted.
                const { page } = await browser.open(server.url.replace('ws', 'http'));
                const { extensions, isEqual } = await page.evaluate(async ([url, text]) => {
                    const socket = new WebSocket(url);
                    socket.binaryType = 'arraybuffer';
                    await new Promise((resolve, reject) => {
                        socket.onopen = resolve;
                        socket.onerror = () => reject(new Error('the WebSocket failed'));
                    });
                    const echo = (message) => new Promise((resolve) => {
                        socket.onmessage = ({ data }) => resolve(data);
                        socket.send(message);
                    });
                    const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * i) >> 7);
                    const same = [];
                    for (const message of ['', 'Hello', text, text, text.repeat(200)])
                        same.push((await echo(message)) === message);
                    const echoed = new Uint8Array(await echo(bytes));
                    same.push(echoed.length === bytes.length && echoed.every((byte, i) => byte === bytes[i]));
                    socket.close(1000);
                    return { extensions: socket.extensions, isEqual: same };
                }, [server.url, rows]);
                assert.deepEqual(isEqual, Array(6).fill(true));
                assert.equal(extensions.startsWith('permessage-deflate'), flags.length > 0);
                await page.close();
                await server.stop();
            });
});
