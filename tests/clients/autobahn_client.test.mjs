import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { closeFrame, frame, opcodes, startFuzzingServer } from './support/fuzzing_server.mjs';
import { within } from './support/wait.mjs';

const build = process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../build/debug', import.meta.url));
const program = join(build, 'examples', 'autobahn_client');

const { continuation, text, binary, close, ping, pong } = opcodes;
const latin = (payload) => Buffer.from(payload).toString('latin1');
const sent = (kind, payload) => [kind, latin(payload)];
const first = { isFinal: false };

const cases = [];
/// Names begin with the number of the like case of the public suite.
const add = (name, send, expect, more = {}) => cases.push({ name, send, expect, ...more });
const refuse = (name, send, code, before = []) => add(name, send, [...before, ['close', code]]);

for (const size of [0, 125, 126, 127, 128, 65535, 65536]) {
    add(`1.1 text of ${size} bytes`, [frame(text, '*'.repeat(size))], [sent('text', '*'.repeat(size))]);
    add(`1.2 binary of ${size} bytes`, [frame(binary, Buffer.alloc(size, 0xfe))], [sent('binary', Buffer.alloc(size, 0xfe))]);
}
add('1.1.8 text a byte at a time', [frame(text, '*'.repeat(300))], [sent('text', '*'.repeat(300))], { drip: true });

add('2.1 empty ping', [frame(ping)], [['pong', '']]);
add('2.2 ping with a payload', [frame(ping, 'Hello, world!')], [['pong', 'Hello, world!']]);
add('2.3 binary ping', [frame(ping, Buffer.from([0, 255, 254, 253]))], [sent('pong', Buffer.from([0, 255, 254, 253]))]);
add('2.4 ping of 125 bytes', [frame(ping, Buffer.alloc(125, 0xfe))], [sent('pong', Buffer.alloc(125, 0xfe))]);
refuse('2.5 ping of 126 bytes', [frame(ping, Buffer.alloc(126))], 1002);
add('2.6 ping a byte at a time', [frame(ping, Buffer.alloc(125, 0xfe))], [sent('pong', Buffer.alloc(125, 0xfe))], { drip: true });
add('2.7 unsolicited pong', [frame(pong)], []);
add('2.9 pong, then ping', [frame(pong, 'a'), frame(ping, 'b')], [['pong', 'b']]);
const ten = Array.from({ length: 10 }, (_, i) => `ping ${i}`);
add('2.10 ten pings', ten.map((each) => frame(ping, each)), ten.map((each) => ['pong', each]));
add('2.11 ten pings a byte at a time', ten.map((each) => frame(ping, each)), ten.map((each) => ['pong', each]), { drip: true });

for (const reserved of [1, 2, 3, 4, 5, 6, 7]) refuse(`3.${reserved} reserved bits`, [frame(text, '*', { reserved })], 1002);
refuse('3.2 reserved bits after a message', [frame(text, 'a'), frame(text, '*', { reserved: 2 }), frame(ping)], 1002);
refuse('3.5 reserved bits of a ping', [frame(ping, '*', { reserved: 4 })], 1002);
refuse('3.6 reserved bits of a close', [frame(close, '', { reserved: 4 })], 1002);

for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) refuse(`4 opcode ${opcode}`, [frame(opcode, '*')], 1002);

refuse('5.1 fragmented ping', [frame(ping, 'a', first), frame(continuation, 'b')], 1002);
refuse('5.2 fragmented pong', [frame(pong, 'a', first), frame(continuation, 'b')], 1002);
for (const drip of [false, true]) {
    const how = drip ? ', a byte at a time' : '';
    add(`5.3 two fragments${how}`, [frame(text, 'a', first), frame(continuation, 'b')], [['text', 'ab']], { drip });
    add(`5.6 ping between fragments${how}`, [frame(text, 'a', first), frame(ping, 'p'), frame(continuation, 'b')], [['pong', 'p'], ['text', 'ab']], { drip });
    add(
        `5.19 many fragments and pings${how}`,
        [frame(text, '1', first), frame(continuation, '2', first), frame(ping, 'p'), frame(continuation, '3', first), frame(ping, 'q'), frame(continuation, '4')],
        [['pong', 'p'], ['pong', 'q'], ['text', '1234']],
        { drip },
    );
}
add('5.4 empty fragments', [frame(binary, '', first), frame(continuation, '', first), frame(continuation, '')], [['binary', '']]);
refuse('5.9 nothing to continue', [frame(continuation, 'a'), frame(text, 'b')], 1002);
refuse('5.12 nothing to continue, not final', [frame(continuation, 'a', first), frame(text, 'b')], 1002);
refuse('5.15 nothing to continue after a message', [frame(text, 'a', first), frame(continuation, 'b'), frame(continuation, 'c', first)], 1002);
refuse('5.18 a message within a message', [frame(text, 'a', first), frame(text, 'b')], 1002);

const greek = 'Hello-µ@ßöäüàá-UTF-8!! κόσμε';
add('6.1 empty text in fragments', [frame(text, '', first), frame(continuation, '')], [['text', '']]);
add('6.2 UTF-8', [frame(text, greek)], [sent('text', greek)]);
add(
    '6.2.3 UTF-8, a byte in each fragment',
    [...Buffer.from(greek)].map((byte, i, all) => frame(i ? continuation : text, [byte], { isFinal: i === all.length - 1 })),
    [sent('text', greek)],
);
add('6.2.4 the largest code points', [frame(text, '\u{10ffff}\uffff\u07ff\u007f')], [sent('text', '\u{10ffff}\uffff\u07ff\u007f')]);
for (const [name, bytes] of [
    ['6.3 surrogates', [0xce, 0xba, 0xed, 0xa0, 0x80]],
    ['6.8 a lone lead byte', [0xc3]],
    ['6.10 five bytes', [0xf8, 0x88, 0x80, 0x80, 0x80]],
    ['6.12 over U+10FFFF', [0xf4, 0x90, 0x80, 0x80]],
    ['6.14 a lone continuation', [0x80]],
    ['6.16 four bytes cut', [0xf0, 0x9d, 0x84]],
    ['6.20 overlong', [0xc0, 0xaf]],
])
    refuse(`${name}`, [frame(text, bytes)], 1007);
refuse('6.4.1 fails as soon as it is impossible', [frame(text, [0xce, 0xba], first), frame(continuation, [0xf4, 0x90], first)], 1007);
refuse('6.4.3 fails within a frame', [frame(text, Buffer.concat([Buffer.from([0xf4, 0x90]), Buffer.alloc(1000)])).subarray(0, 20)], 1007);

add('7.1.1 a message, then close', [frame(text, 'a'), closeFrame(1000)], [['close', 1000]]);
refuse('7.1.2 close twice', [closeFrame(1000), closeFrame(1000)], 1000);
refuse('7.1.3 ping after close', [closeFrame(1000), frame(ping)], 1000);
refuse('7.1.4 text after close', [closeFrame(1000), frame(text, 'a')], 1000);
refuse('7.1.5 close within a message', [frame(text, 'a', first), closeFrame(1000), frame(continuation, 'b')], 1000);
refuse('7.3.1 close without a code', [frame(close)], 1005);
refuse('7.3.2 close with one byte', [frame(close, 'a')], 1002);
refuse('7.3.4 close with a reason', [closeFrame(1000, 'Hello')], 1000);
refuse('7.3.5 close with the longest reason', [closeFrame(1000, '*'.repeat(123))], 1000);
refuse('7.3.6 close with too long a reason', [closeFrame(1000, '*'.repeat(124))], 1002);
refuse('7.5.1 close with bad UTF-8', [closeFrame(1000, Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80]))], 1007);
for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) refuse(`7.7 code ${code}`, [closeFrame(code)], code);
for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) refuse(`7.9 code ${code}`, [closeFrame(code)], 1002);

refuse('5.1 of RFC 6455: a masked frame', [frame(text, 'a', { isMasked: true })], 1002);
refuse('5.2 of RFC 6455: a length of 16 bits for 125', [frame(text, 'a'.repeat(125), { lengthBytes: 2 })], 1002);
refuse('5.2 of RFC 6455: a length of 64 bits for 65535', [frame(text, 'a'.repeat(65535), { lengthBytes: 8 })], 1002);
refuse('5.2 of RFC 6455: a length over 2^63', [Buffer.from([0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255])], 1002);

for (const size of [1 << 18, 1 << 20, 1 << 22]) add(`9.1 text of ${size} bytes`, [frame(text, 'x'.repeat(size))], [['text', 'x'.repeat(size)]]);
const pieces = Array.from({ length: 4096 }, (_, i) => frame(i ? continuation : binary, Buffer.alloc(64, i), { isFinal: i === 4095 }));
add('9.4 4,096 fragments of 64 bytes', pieces, [['binary', latin(Buffer.concat(pieces.map((each) => each.subarray(2))))]]);
const thousand = Array.from({ length: 1000 }, (_, i) => `message ${i}`);
add('9.7 a thousand messages at once', thousand.map((each) => frame(text, each)), thousand.map((each) => ['text', each]));
add('10.1 64 KiB in fragments of 1300', [...Array(51).keys()].map((i) => frame(i ? continuation : text, '*'.repeat(i < 50 ? 1300 : 536), { isFinal: i === 50 })), [
    ['text', '*'.repeat(65536)],
]);

const alone = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
for (const extension of [alone, 'permessage-deflate', 'permessage-deflate; client_max_window_bits=9'])
    for (const [size, frames] of [[16, 1], [1000, 1], [70000, 3], [300000, 50]]) {
        const json = JSON.stringify(Array.from({ length: size / 16 }, (_, i) => ({ sequence: i, price: i * 7 })));
        const messages = [json, json.slice(1), `${json}!`];
        add(
            `${extension === alone ? 12 : 13} ${extension}: ${json.length} bytes in ${frames} frames`,
            async (peer) => [await peer.compressed(text, messages[0], frames), await peer.compressed(binary, messages[1], frames), await peer.compressed(text, messages[2], frames)],
            [['text', messages[0]], ['binary', messages[1]], ['text', messages[2]]],
            { extension, isCompressed: true },
        );
    }
add('12 plain where compression is agreed on', [frame(text, 'plain')], [['text', 'plain']], { extension: alone });
add('12 an empty compressed message', [frame(text, [0], { reserved: 4 })], [['text', '']], { extension: alone });
refuse2('12 what does not inflate', [frame(text, [255, 255, 255], { reserved: 4 })], 1007);
refuse2('12 RSV1 of a continuation', [frame(text, [0], { reserved: 4, isFinal: false }), frame(continuation, [0], { reserved: 4 })], 1002);
refuse2('12 RSV1 of a ping', [frame(ping, 'a', { reserved: 4 })], 1002);
refuse2('12 RSV2', [frame(text, 'a', { reserved: 2 })], 1002);

function refuse2(name, send, code) {
    add(name, send, [['close', code]], { extension: alone });
}

describe('autobahn_client against a fuzzing server', () => {
    let server;
    let outcome;
    before(async () => {
        server = await startFuzzingServer(cases);
        const child = spawn(program, ['--url', server.url], { stdio: ['ignore', 'ignore', 'inherit'] });
        outcome = await within(once(child, 'exit'), 'end of autobahn_client', 60_000).catch((why) => {
            child.kill('SIGKILL');
            throw why;
        });
    });
    after(() => server?.stop());

    test('runs all cases and asks for the reports', () => {
        assert.deepEqual(outcome, [0, null]);
        assert.equal(server.agent(), 'livetape');
        assert.equal(server.results.size, new Set(cases.map((each) => each.name)).size);
        assert.equal(server.results.size, cases.length);
    });

    for (const each of cases)
        test(each.name, () => {
            const result = server.results.get(each.name);
            assert.ok(result, 'the case was not run');
            assert.equal(result.failure, null);
            const expected = result.isClosedByClient ? each.expect : [...each.expect, ['close', 1000]];
            // What came before a failure may or may not have been answered.
            const events = result.isClosedByClient ? result.events.slice(-each.expect.length) : result.events;
            assert.deepEqual(events, expected);
            assert.equal(result.leftFirst, false, 'the client ended the connection before the server');
            assert.equal(result.isCompressed, each.isCompressed ?? false);
        });

    test('masks every frame with a key of its own', () => {
        const keys = [...server.results.values()].flatMap((each) => each.keys);
        assert.ok(keys.length > 1000);
        // Of 2^32 keys, a few thousand collide once in a thousand runs.
        assert.ok(new Set(keys).size > keys.length - 3);
    });
});
