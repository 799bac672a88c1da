// What no proper client sends gets a clear answer, and the server goes on.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { startHub } from './support/open_hub.mjs';
import { RawClient, frame, handshake, openRawWebSocket, parseResponses } from './support/raw_client.mjs';
import { seededRandom } from './support/random.mjs';
import { until } from './support/wait.mjs';

let hub;
before(async () => {
    hub = await startHub();
});
after(() => hub?.stop());

const pollPath = '/live/poll?channel=alive&cursor=now';
const poll = `GET ${pollPath} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function assertAlive() {
    const response = await fetch(`http://127.0.0.1:${hub.port}${pollPath}`);
    assert.equal(response.status, 200);
    assert.deepEqual((await response.json()).events, []);
}

/// Sends a request and reads until the server closes.
async function exchange(bytes) {
    const client = await RawClient.connect(hub.port);
    client.send(bytes);
    await client.closed();
    client.destroy();
    return parseResponses(client.text);
}

/// Asserts that bytes are answered by one refusal and the end of the connection.
async function assertRefused(bytes, status, code, fields = {}) {
    const { responses, rest } = await exchange(bytes);
    assert.equal(responses.length, 1, JSON.stringify({ responses, rest }));
    const [{ status: got, fields: sent, body }] = responses;
    assert.equal(got, status, body);
    assert.equal(sent.get('content-length'), String(body.length));
    assert.match(sent.get('connection'), /\bclose\b/);
    const { error } = JSON.parse(body);
    assert.equal(error.code, code, body);
    assert.ok(error.message.length > 5, body);
    for (const [name, value] of Object.entries(fields)) assert.equal(sent.get(name), value, name);
    assert.equal(rest, '');
}

const host = 'Host: a\r\n';
const lastRequest = `${host}Connection: close\r\n`;
const get = (target, fields = host) => `GET ${target} HTTP/1.1\r\n${fields}\r\n`;

describe('a malformed or oversized head', () => {
    const manyFields = (count) => host + numbered(count - 1, (i) => `F${i}: v\r\n`);
    const numbered = (count, line) => Array.from({ length: count }, (_, i) => line(i)).join('');
    const cases = [
        ['garbage', 'BLAH\r\n\r\n', 400, 'bad_request_line'],
        ['two spaces', get(' /live/poll'), 400, 'bad_request_line'],
        ['a control character in the target', get('/live/\x01'), 400, 'bad_request_line'],
        ['a TLS client hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'bad_request_line'],
        ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505, 'bad_http_version'],
        ['HTTP/0.9', 'GET /live/poll HTTP/0.9\r\n\r\n', 505, 'bad_http_version'],
        ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'bad_host'],
        ['two Hosts', get('/', host + host), 400, 'bad_host'],
        ['a malformed Host', get('/', 'Host: a/b\r\n'), 400, 'bad_host'],
        ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', 400],
        ['a folded field', get('/', `${host}A: b\r\n c\r\n`), 400, 'bad_header_field'],
        ['a space before the colon', get('/', `${host}A : b\r\n`), 400, 'bad_header_field'],
        ['a field without a colon', get('/', `${host}nonsense\r\n`), 400, 'bad_header_field'],
        ['a NUL in a field', get('/', `${host}A: \x00\r\n`), 400, 'bad_header_field'],
        ['a carriage return in a field', get('/', `${host}A: b\rc\r\n`), 400, 'bad_header_field'],
        ['fields of 20 KB', get('/', `${host}A: ${'b'.repeat(20_000)}\r\n`), 431, 'head_too_large'],
        ['101 fields', get('/', manyFields(101)), 431, 'head_too_large'],
        ['a target of 9 KB', get(`/${'a'.repeat(9000)}`), 414, 'target_too_long'],
        ['a target without an end', `GET /${'a'.repeat(9000)}`, 414, 'target_too_long'],
    ];
    for (const [what, bytes, status, code] of cases)
        test(`${what} gets ${status}`, async () => {
            if (code) await assertRefused(bytes, status, code);
            else assert.equal((await exchange(bytes)).responses[0].status, status);
            await assertAlive();
        });

    test('a head at the limit is taken', async () => {
        const client = await RawClient.connect(hub.port);
        client.send(get(pollPath, manyFields(100)));
        await client.until(({ text }) => text.startsWith('HTTP/1.1 200 '), 'response');
        client.destroy();
    });
});

describe('a body that two readers could see differently', () => {
    const publish = (fields, body) =>
        `POST /live/publish?channel=smuggled HTTP/1.1\r\n${host}Content-Type: text/plain\r\n${fields}\r\n${body}`;
    const cases = [
        ['Content-Length beside Transfer-Encoding', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nGET', 400, 'bad_content_length'],
        ['Transfer-Encoding beside Content-Length', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '0\r\n\r\nGET', 400, 'bad_content_length'],
        ['two lengths', 'Content-Length: 1\r\nContent-Length: 2\r\n', 'ab', 400, 'bad_content_length'],
        ['a list of lengths', 'Content-Length: 1, 2\r\n', 'ab', 400, 'bad_content_length'],
        ['a signed length', 'Content-Length: +2\r\n', 'ab', 400, 'bad_content_length'],
        ['a hexadecimal length', 'Content-Length: 0x2\r\n', 'ab', 400, 'bad_content_length'],
        ['a length over 64 bits', `Content-Length: ${'9'.repeat(30)}\r\n`, 'ab', 400, 'bad_content_length'],
        ['another transfer coding', 'Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n', 400, 'bad_transfer_encoding'],
        ['chunked that is not last', 'Transfer-Encoding: chunked, gzip\r\n', '0\r\n\r\n', 400, 'bad_transfer_encoding'],
        ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n', 400, 'bad_transfer_encoding'],
        ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n', 'zz\r\nab\r\n0\r\n\r\n', 400, 'bad_transfer_encoding'],
        ['a chunk size over 64 bits', 'Transfer-Encoding: chunked\r\n', `${'f'.repeat(17)}\r\n`, 413, 'body_too_large'],
        ['a chunk without its line end', 'Transfer-Encoding: chunked\r\n', '2\r\nabc\r\n', 400, 'bad_transfer_encoding'],
        ['an Expect that nobody knows', 'Content-Length: 1\r\nExpect: a miracle\r\n', 'a', 417, 'expectation_failed'],
        ['a length over the limit', 'Content-Length: 1048577\r\n', '', 413, 'body_too_large'],
        ['a chunk over the limit', 'Transfer-Encoding: chunked\r\n', '100001\r\n', 413, 'body_too_large'],
    ];
    for (const [what, fields, body, status, code] of cases)
        test(`${what} gets ${status}, and no second answer`, async () => {
            await assertRefused(publish(fields, body) + poll, status, code);
            await assertAlive();
        });

    test('the body of a GET is not taken for the next request', async () => {
        const { responses, rest } = await exchange(get(pollPath, `${host}Content-Length: ${poll.length}\r\n`) + poll);
        assert.equal(responses.length, 1);
        assert.equal(responses[0].fields.get('connection'), 'close');
        assert.equal(rest, '');
        await assertRefused(`GET /live/ws HTTP/1.1\r\n${handshake('/', 'Content-Length: 3\r\n').split('\r\n').slice(1).join('\r\n')}abc`, 400, 'bad_content_length');
    });

    test('nothing was published', async () => {
        const state = await fetch(`${hub.url}/poll?channel=smuggled`);
        assert.deepEqual((await state.json()).events, []);
    });
});

describe('a path, method or query that is not there', () => {
    const many = Array.from({ length: 1001 }, (_, i) => i).join();
    const cases = [
        [get('/', lastRequest), 404, 'not_found'],
        [get('/live', lastRequest), 404, 'not_found'],
        [get('/live/', lastRequest), 404, 'not_found'],
        [get('/livepoll?channel=a', lastRequest), 404, 'not_found'],
        [get('/live/../live/poll?channel=a', lastRequest), 404, 'not_found'],
        [get('/live/%70oll?channel=a', lastRequest), 404, 'not_found'],
        [`POST /live/sse?channel=a HTTP/1.1\r\n${host}\r\n`, 405, 'method_not_allowed', { allow: 'GET, HEAD, OPTIONS' }],
        [`DELETE /live/poll?channel=a HTTP/1.1\r\n${host}\r\n`, 405, 'method_not_allowed', { allow: 'GET, HEAD, OPTIONS' }],
        [`POST /live/ws HTTP/1.1\r\n${host}\r\n`, 405, 'method_not_allowed', { allow: 'GET' }],
        [get('/live/publish?channel=a'), 405, 'method_not_allowed', { allow: 'POST, OPTIONS' }],
        [get('/live/poll'), 400, 'bad_query'],
        [get('/live/sse'), 400, 'bad_query'],
        [get('/live/poll?channel=%zz'), 400, 'bad_query'],
        [get('/live/poll?channel=a&wait=soon'), 400, 'bad_query'],
        [get('/live/poll?channel=a&wait=-1'), 400, 'bad_query'],
        [get('/live/poll?channel=a&wait=1.5'), 400, 'bad_query'],
        [get('/live/poll?channel=a&limit=0'), 400, 'bad_query'],
        [get('/live/poll?channel=a&snapshot=2'), 400, 'bad_query'],
        [get('/live/sse/raw/a?channel=b'), 400, 'bad_query'],
        [get('/live/poll?channel=a&mode=newest'), 501, 'unsupported'],
        [get('/live/poll?channel=a&rate=fast'), 400, 'bad_query'],
        [get('/live/poll?channel=a&rate=100000'), 400, 'bad_rate'],
        [get('/live/poll?channel=a*'), 400, 'bad_pattern'],
        [get('/live/history?channel=a&limit=0'), 400, 'bad_query'],
        [get('/live/presence?channel=a*'), 400, 'bad_channel_name'],
        [get('/live/poll?channel='), 400, 'bad_channel_name'],
        [get('/live/poll?channel=a,,b'), 400, 'bad_channel_name'],
        [get('/live/poll?channel=a..b'), 400, 'bad_channel_name'],
        [get('/live/poll?channel=a%20b'), 400, 'bad_channel_name'],
        [get('/live/poll?channel=a.>.b'), 400, 'bad_pattern'],
        [get('/live/poll?channel=%C3%B6'), 400, 'bad_channel_name'],
        [get(`/live/poll?channel=${'a'.repeat(256)}`), 400, 'bad_channel_name'],
        [get('/live/sse/raw/a%00b'), 400, 'bad_channel_name'],
        [get('/live/poll?channel=a,a'), 409, 'already_subscribed'],
        [get(`/live/poll?channel=${many}`), 429, 'too_many_channels'],
    ];
    for (const [bytes, status, code, fields] of cases)
        test(`${bytes.split(' HTTP')[0].slice(0, 60)} gets ${status} ${code}`, () => assertRefused(bytes, status, code, fields));

    for (const cursor of ['x', '1', '1-', '-1', '1-2-3', '1-+2', '!', 'a~', 'a~1-1!a~1-1', 'b~1-1!', 'now!', '1-99999999999999999999999'])
        test(`the cursor ${cursor} gets 400 bad_cursor`, async () => {
            const encoded = encodeURIComponent(cursor);
            await assertRefused(get(`/live/poll?channel=a&cursor=${encoded}`), 400, 'bad_cursor');
            await assertRefused(get('/live/sse?channel=a', `${host}Last-Event-ID: ${cursor}\r\n`), 400, 'bad_cursor');
        });

    test('a cursor of another set of channels, or ahead of its channel, gets 400 bad_cursor', async () => {
        const { cursor } = await (await fetch(`${hub.url}/poll?channel=a`)).json();
        await assertRefused(get(`/live/poll?channel=a,b&cursor=${cursor}`), 400, 'bad_cursor');
        await assertRefused(get(`/live/poll?channel=a&cursor=${cursor.split('-')[0]}-7`), 400, 'bad_cursor');
    });

    test('HEAD gets a refusal without its body', async () => {
        for (const path of ['/nothing', '/live/poll?channel=.a', '/live/sse?channel=.a', '/live/publish', '/live/ws']) {
            const client = await RawClient.connect(hub.port);
            client.send(`HEAD ${path} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
            await client.closed();
            assert.match(client.text, /^HTTP\/1.1 4\d\d /);
            assert.ok(client.text.endsWith('\r\n\r\n'), client.text);
            client.destroy();
        }
    });
});

describe('a publish that is refused', () => {
    const publish = (query, type, body) =>
        `POST /live/publish?${query} HTTP/1.1\r\n${host}Connection: close\r\nContent-Type: ${type}\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`;
    const cases = [
        ['JSON that is none', publish('channel=p', 'application/json', '{"a":'), 400, 'bad_payload'],
        ['JSON with something after it', publish('channel=p', 'application/json', '1 2'), 400, 'bad_payload'],
        ['text that is not UTF-8', publish('channel=p', 'text/plain', '\xff\xfe'), 400, 'bad_payload'],
        ['no channel', publish('', 'text/plain', 'x'), 400, 'bad_query'],
        ['two channels', publish('channel=p&channel=q', 'text/plain', 'x'), 400, 'bad_query'],
        ['a bad channel name', publish('channel=.p', 'text/plain', 'x'), 400, 'bad_channel_name'],
        ['a key that is not UTF-8', publish('channel=p&key=%ff', 'text/plain', 'x'), 400, 'bad_query'],
        ['a key of 256 bytes', publish(`channel=p&key=${'k'.repeat(256)}`, 'text/plain', 'x'), 413, 'payload_too_large'],
    ];
    for (const [what, bytes, status, code] of cases)
        test(`${what} gets ${status} ${code}`, () => assertRefused(bytes, status, code));
});

describe('a handshake that is refused', () => {
    const without = (name) => handshake('/live/ws').replace(new RegExp(`${name}: .*\r\n`), '');
    const upgrade = { upgrade: 'websocket', 'sec-websocket-version': '13' };
    const cases = [
        ['a plain GET', get('/live/ws'), 426, 'upgrade_required', upgrade],
        ['no Connection', without('Connection'), 426, 'upgrade_required', upgrade],
        ['another upgrade', handshake('/live/ws').replace('websocket', 'h2c'), 426, 'upgrade_required', upgrade],
        ['HTTP/1.0', handshake('/live/ws').replace('HTTP/1.1', 'HTTP/1.0'), 426, 'upgrade_required', upgrade],
        ['no version', without('Sec-WebSocket-Version'), 426, 'bad_websocket_version', upgrade],
        ['version 8', handshake('/live/ws').replace('Version: 13', 'Version: 8'), 426, 'bad_websocket_version', upgrade],
        ['no key', without('Sec-WebSocket-Key'), 400, 'bad_websocket_key'],
        ['a short key', handshake('/live/ws').replace(/Key: .*\r/, 'Key: aGVsbG8=\r'), 400, 'bad_websocket_key'],
        ['a key that is no base64', handshake('/live/ws').replace(/Key: .*\r/, `Key: ${'*'.repeat(24)}\r`), 400, 'bad_websocket_key'],
        ['two keys', handshake('/live/ws', `Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\n`), 400, 'bad_websocket_key'],
        ['a malformed subprotocol', handshake('/live/ws', 'Sec-WebSocket-Protocol: a b\r\n'), 400, 'bad_subprotocol'],
        ['a malformed extension', handshake('/live/ws', 'Sec-WebSocket-Extensions: a; =\r\n'), 400, 'bad_extension'],
        ['a bad channel name', handshake('/live/ws/raw/a%20b'), 400, 'bad_channel_name'],
        ['a bad cursor', handshake('/live/ws?channel=a&cursor=x'), 400, 'bad_cursor'],
    ];
    for (const [what, bytes, status, code, fields] of cases)
        test(`${what} gets ${status} ${code}`, () => assertRefused(bytes, status, code, fields));
});

describe('a frame that breaks the rules', () => {
    const text = 1, binary = 2, close = 8, ping = 9;
    const closing = (code) => frame(close, Buffer.of(code >> 8, code & 255));
    const cases = [
        ['an unmasked frame', [frame(text, '{}', { isMasked: false })], 1002],
        ['text that is not UTF-8', [frame(text, Buffer.of(0xc3, 0x28))], 1007],
        ['a surrogate', [frame(text, Buffer.of(0xed, 0xa0, 0x80))], 1007],
        ['UTF-8 that breaks in the second fragment', [frame(text, Buffer.of(0xe2, 0x82), { isFinal: false }), frame(0, 'x')], 1007],
        ['UTF-8 that ends too early', [frame(text, Buffer.of(0xe2, 0x82))], 1007],
        ['a frame over the limit', [frame(text, '', { length: (1 << 20) + 1 })], 1009],
        ['a frame of 2^62 bytes', [frame(binary, '', { length: 2 ** 62 })], 1009],
        ['fragments over the limit', [frame(text, 'x'.repeat(1 << 20), { isFinal: false }), frame(0, 'x')], 1009],
        ['the first reserved bit', [frame(text, '{}', { reserved: 4 })], 1002],
        ['the second reserved bit', [frame(text, '{}', { reserved: 2 })], 1002],
        ['the third reserved bit', [frame(ping, '', { reserved: 1 })], 1002],
        ['opcode 3', [frame(3, 'x')], 1002],
        ['opcode 15', [frame(15)], 1002],
        ['a ping in fragments', [frame(ping, '', { isFinal: false })], 1002],
        ['a ping of 126 bytes', [frame(ping, 'x'.repeat(126))], 1002],
        ['a continuation of nothing', [frame(0, 'x')], 1002],
        ['a message in a message', [frame(text, '{', { isFinal: false }), frame(text, '}')], 1002],
        ['a length that is not minimal', [frame(text, '{}', { lengthBytes: 2 })], 1002],
        ['a length over 2^63', [Buffer.of(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)], 1002],
        ['a close of one byte', [frame(close, 'x')], 1002],
        ['close code 1005', [closing(1005)], 1002],
        ['close code 999', [closing(999)], 1002],
        ['a close reason that is not UTF-8', [frame(close, Buffer.of(3, 232, 0xff))], 1007],
        ['a good close', [closing(1000)], 1000],
        ['a close code of its own', [closing(4321)], 4321],
    ];
    const assertClosed = async (client, code) => {
        await client.closed();
        const last = client.frames().at(-1);
        assert.equal(last?.opcode, close);
        assert.equal(last.payload.readUInt16BE(0), code);
        if (code < 3000 && code !== 1000) assert.ok(last.payload.length > 10, 'a reason');
        client.destroy();
    };
    for (const [what, frames, code] of cases)
        test(`${what} closes with ${code}, whole and byte by byte`, async () => {
            const whole = await openRawWebSocket(hub.port);
            whole.send(Buffer.concat(frames));
            await assertClosed(whole, code);
            if (frames[0].length < 1000) {
                const slow = await openRawWebSocket(hub.port);
                await slow.drip(Buffer.concat(frames));
                await assertClosed(slow, code);
            }
            await assertAlive();
        });

    test('a raw connection ignores messages and keeps the rules', async () => {
        const client = await openRawWebSocket(hub.port, '/live/ws/raw/alive');
        client.send(frame(text, 'not JSON')).send(frame(ping, 'here?'));
        await client.until(() => client.frames().length === 1, 'pong');
        assert.deepEqual(client.frames()[0], { opcode: 10, payload: Buffer.from('here?') });
        client.send(frame(text, Buffer.of(0xff)));
        await assertClosed(client, 1007);
    });
});

describe('a command that is refused', () => {
    const cases = [
        ['{', 'bad_json'],
        ['', 'bad_json'],
        ['[]', 'bad_json'],
        ['"subscribe"', 'bad_json'],
        ['{"subscribe":"a"} x', 'bad_json'],
        ['['.repeat(100_000), 'bad_json'],
        ['{}', 'bad_message'],
        ['{"dance":"a"}', 'bad_message'],
        ['{"subscribe":5}', 'bad_message'],
        ['{"subscribe":"a","unsubscribe":"a"}', 'bad_message'],
        ['{"subscribe":"a","id":{}}', 'bad_message'],
        [`{"subscribe":"a","id":"${'1'.repeat(200)}"}`, 'id_too_long'],
        ['{"subscribe":"a","cursor":7}', 'bad_message'],
        ['{"subscribe":"a","snapshot":"yes"}', 'bad_message'],
        ['{"publish":"a"}', 'bad_message'],
        ['{"publish":"a","data":1,"data64":""}', 'bad_message'],
        ['{"publish":"a","data":1,"key":1}', 'bad_message'],
        ['{"publish":"a","data64":"a"}', 'bad_payload'],
        [`{"publish":"a","data":1,"key":"${'k'.repeat(256)}"}`, 'payload_too_large'],
        ['{"subscribe":""}', 'bad_channel_name'],
        ['{"subscribe":"a."}', 'bad_channel_name'],
        ['{"publish":"a b","data":1}', 'bad_channel_name'],
        [`{"subscribe":"${'a'.repeat(256)}"}`, 'bad_channel_name'],
        ['{"subscribe":"a","cursor":"yesterday"}', 'bad_cursor'],
        ['{"subscribe":"a","cursor":"b~1-1!b~1-1"}', 'bad_cursor'],
        ['{"unsubscribe":"a"}', 'not_subscribed'],
        ['{"subscribe":"a","mode":"newest"}', 'unsupported'],
        ['{"subscribe":"a","rate":"1"}', 'bad_message'],
        ['{"subscribe":"a","rate":100000}', 'bad_rate'],
        [`{"subscribe":"a","keys":["${'k'.repeat(256)}"]}`, 'key_too_long'],
        [`{"subscribe":"a","keys":${JSON.stringify(Array.from({ length: 1001 }, (_, n) => `${n}`))}}`, 'too_many_keys'],
        ['{"subscribe":"a*"}', 'bad_pattern'],
        [`{"subscribe":"${'a.'.repeat(16)}*"}`, 'pattern_too_deep'],
        ['{"change":"a","mode":"latest"}', 'not_subscribed'],
        ['{"presence":"a b"}', 'bad_channel_name'],
        ['{"history":"a","limit":0}', 'bad_message'],
        [`{"publish":"a","data":1,"message_id":"${'m'.repeat(129)}"}`, 'id_too_long'],
    ];
    test('is answered with its code and id, and the connection goes on', async () => {
        const client = await openRawWebSocket(hub.port);
        const reply = async (count) => {
            await client.until(() => client.frames().length >= count, `reply ${count}`);
            return JSON.parse(client.frames()[count - 1].payload);
        };
        let count = 0;
        for (const [message, code] of cases) {
            client.send(frame(1, message));
            const { error } = await reply(++count);
            assert.equal(error?.code, code, message.slice(0, 100));
            assert.ok(error.message.length > 5);
        }
        client.send(frame(2, '{"subscribe":"a"}'));
        assert.equal((await reply(++count)).error.code, 'bad_message');
        client.send(frame(1, '{"unsubscribe":"a","id":"seven"}'));
        assert.equal((await reply(++count)).id, 'seven');
        client.send(frame(1, '{"subscribe":"a","id":7}'));
        assert.equal((await reply(++count)).subscribed, 'a');
        client.send(frame(1, '{"subscribe":"a"}'));
        assert.equal((await reply(++count)).error.code, 'already_subscribed');
        client.destroy();
    });

    test('comes after a thousand channels on one connection', async () => {
        const client = await openRawWebSocket(hub.port);
        const commands = Array.from({ length: 1001 }, (_, i) => frame(1, `{"subscribe":"many.${i}"}`));
        client.send(Buffer.concat(commands));
        await client.until(() => client.frames().length === 1001, 'replies');
        const replies = client.frames().map(({ payload }) => JSON.parse(payload));
        assert.ok(replies.slice(0, 1000).every(({ subscribed }) => subscribed));
        assert.equal(replies[1000].error.code, 'too_many_channels');
        client.destroy();
    });

    test('comes after ten thousand that are right and come at once', async () => {
        const client = await openRawWebSocket(hub.port);
        const pair = [frame(1, '{"subscribe":"at-once"}'), frame(1, '{"unsubscribe":"at-once"}')];
        client.send(Buffer.concat([...Array.from({ length: 5000 }, () => pair).flat(), frame(1, '{}')]));
        await client.until(({ text }) => text.includes('bad_message') || text.includes('not being read'), 'the last reply');
        const replies = client.frames().map(({ payload }) => payload.toString());
        assert.equal(replies.filter((reply) => reply.startsWith('{"unsubscribed"')).length, 5000);
        assert.equal(replies.length, 10001);
        client.destroy();
    });

    test('reads no more from a client that does not read its replies, and answers all in the end', async () => {
        const client = await openRawWebSocket(hub.port);
        client.socket.pause();
        // More than the kernel and the server take in between them.
        const count = 80_000;
        const pings = Buffer.concat(Array.from({ length: count }, () => frame(9, 'x'.repeat(125))));
        const written = new Promise((resolve) => client.socket.write(pings, resolve));
        await assertAlive();
        client.socket.resume();
        await written;
        client.socket.write(frame(8, ''));
        await client.closed();
        const opcodes = client.frames().map(({ opcode }) => opcode);
        assert.equal(opcodes.filter((each) => each === 10).length, count);
        assert.equal(opcodes.at(-1), 8);
        client.destroy();
    });
});

describe('a client that behaves oddly', () => {
    const openFiles = () => readdirSync(`/proc/${hub.pid}/fd`).length;

    test('one that drips its request byte by byte is answered', async () => {
        const client = await RawClient.connect(hub.port);
        await client.drip(poll);
        await client.until(({ text }) => text.endsWith(']}\n'), 'answer');
        client.destroy();
    });

    test('one that sends garbage after a poll gets the poll and a refusal', async () => {
        const { responses } = await exchange(`${poll}\x00\x01garbage\r\n\r\n`);
        assert.deepEqual(responses.map(({ status }) => status), [200, 400]);
    });

    test('one that sends its polls ahead gets the answers in order', async () => {
        const ahead = poll.replace('alive', 'ahead');
        const waiting = ahead.replace('cursor=now', 'cursor=now&wait=20');
        const client = await RawClient.connect(hub.port);
        client.send(poll + waiting + ahead + poll.replace('now', 'x'));
        await client.until(({ text }) => parseResponses(text).responses.length === 1, 'first answer');
        await fetch(`${hub.url}/publish?channel=ahead`, { method: 'POST', body: 'x' });
        await client.closed();
        const { responses } = parseResponses(client.text);
        assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200, 400]);
        assert.equal(JSON.parse(responses[1].body).events[0].offset, 1);
        client.destroy();
    });

    test('one that shuts its side after the request is answered', async () => {
        const client = await RawClient.connect(hub.port);
        client.socket.end(poll);
        await client.closed();
        assert.match(client.text, /^HTTP\/1.1 200 /);
        client.destroy();
    });

    test('two thousand that connect and vanish leave nothing behind', async () => {
        await assertAlive();
        const before = openFiles();
        const beginnings = ['', 'GET', poll, poll.replace('now', 'now&wait=60'), get('/live/sse?channel=alive'),
            handshake('/live/ws?channel=alive'), 'POST /live/publish?channel=v HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc'];
        for (let round = 0; round < 20; ++round) {
            await Promise.all(Array.from({ length: 100 }, async (_, i) => {
                const client = await RawClient.connect(hub.port);
                client.send(beginnings[i % beginnings.length]);
                if (i % 2 === 0) await new Promise((resolve) => client.socket.write('', resolve));
                if (i % 3 === 0) client.destroy();
                else client.breakOff();
            }));
        }
        await assertAlive();
        await until(() => openFiles() <= before, 'as many open files as before');
    });

    test('random garbage breaks nothing', async () => {
        const random = seededRandom('random garbage');
        const before = openFiles();
        const proper = [poll, get('/live/sse?channel=fuzz&cursor=oldest'), handshake('/live/ws?channel=fuzz'),
            'POST /live/publish?channel=fuzz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'];
        const commands = ['{"subscribe":"fuzz","cursor":"oldest"}', '{"publish":"fuzz","data":{"a":[1,2]}}'];
        const spoil = (bytes) => {
            const spoiled = Buffer.from(bytes, 'latin1');
            for (let i = random.below(6); i > 0; --i) spoiled[random.below(spoiled.length)] = random.below(256);
            return random.below(4) === 0 ? spoiled.subarray(0, random.below(spoiled.length)) : spoiled;
        };
        const attack = async () => {
            const isFramed = random.below(3) === 0;
            const client = isFramed ? await openRawWebSocket(hub.port) : await RawClient.connect(hub.port);
            for (let i = 1 + random.below(3); i > 0; --i) {
                const kind = random.below(3);
                const bytes = kind === 0 ? random.bytes(1 + random.below(300))
                    : isFramed ? spoil(frame(random.pick([1, 1, 2, 9]), random.pick(commands)).toString('latin1'))
                    : spoil(random.pick(proper));
                const half = random.below(bytes.length + 1);
                client.socket.write(bytes.subarray(0, half));
                await new Promise(setImmediate);
                client.socket.write(bytes.subarray(half));
            }
            if (random.below(2) === 0) client.socket.end();
            await new Promise(setImmediate);
            client.breakOff();
        };
        const end = Date.now() + 2_000;
        for (let round = 0; round < 60 && Date.now() < end; ++round)
            await Promise.all(Array.from({ length: 10 }, attack));
        await assertAlive();
        await until(() => openFiles() <= before, 'as many open files as before');
    });
});
