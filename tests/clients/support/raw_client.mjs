// A client that writes bytes and reads bytes, for what no proper client sends.

import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { breakOff } from './tcp_proxy.mjs';
import { deferred, until, within } from './wait.mjs';

export class RawClient {
    #pieces = [];
    #closed = deferred();

    static async connect(port) {
        const client = new RawClient();
        client.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
        client.socket.on('data', (bytes) => client.#pieces.push(bytes));
        client.socket.on('end', () => client.#close());
        client.socket.on('error', () => client.#close());
        const connected = deferred();
        client.socket.once('connect', connected.resolve);
        client.socket.once('error', connected.reject);
        await within(connected.promise, 'connection');
        return client;
    }

    #close() {
        this.#closed.resolve();
        this.socket.end();
    }

    get received() {
        if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)];
        return this.#pieces[0] ?? Buffer.alloc(0);
    }

    send(bytes) {
        this.socket.write(bytes, 'latin1');
        return this;
    }

    /// Sends one byte at a time, each in a segment of its own as far as TCP lets us.
    async drip(bytes) {
        for (const byte of Buffer.from(bytes, 'latin1')) {
            this.socket.write(Buffer.of(byte));
            await new Promise(setImmediate);
        }
    }

    get text() {
        return this.received.toString('latin1');
    }

    /// Resolves once the server has closed its side.
    closed() {
        return within(this.#closed.promise, `end of the connection after ${JSON.stringify(this.text.slice(0, 200))}`);
    }

    until(condition, what) {
        return until(() => condition(this), `${what} in ${JSON.stringify(this.text.slice(0, 200))}`);
    }

    destroy() {
        this.socket.destroy();
    }

    /// Leaves without a good-bye.
    breakOff() {
        breakOff(this.socket);
    }
}

/// The responses in what a server sent, each { status, fields, body }.
export function parseResponses(text) {
    const responses = [];
    while (text.startsWith('HTTP/1.1 ')) {
        const end = text.indexOf('\r\n\r\n');
        const [line, ...lines] = text.slice(0, end).split('\r\n');
        const fields = new Map(lines.map((each) => each.split(': ', 2)).map(([n, v]) => [n.toLowerCase(), v]));
        const length = Number(fields.get('content-length') ?? 0);
        const body = text.slice(end + 4, end + 4 + length);
        responses.push({ status: Number(line.split(' ')[1]), fields, body });
        text = text.slice(end + 4 + length);
    }
    return { responses, rest: text };
}

export const handshake = (path, extra = '') =>
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n${extra}\r\n`;

/// One frame of a client (RFC 6455 §5.2).
/// @param how  { isFinal, reserved, isMasked, length, lengthBytes } to break the rules
export function frame(opcode, payload = '', how = {}) {
    const { isFinal = true, reserved = 0, isMasked = true, length, lengthBytes } = how;
    const data = Buffer.from(payload);
    const size = length ?? data.length;
    const width = lengthBytes ?? (size < 126 ? 0 : size < 65536 ? 2 : 8);
    const header = Buffer.alloc(2 + width);
    header[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
    header[1] = (isMasked ? 0x80 : 0) | (width === 0 ? size : width === 2 ? 126 : 127);
    if (width === 2) header.writeUInt16BE(size, 2);
    if (width === 8) header.writeBigUInt64BE(BigInt(size), 2);
    if (!isMasked) return Buffer.concat([header, data]);
    const key = randomBytes(4);
    return Buffer.concat([header, key, data.map((byte, i) => byte ^ key[i % 4])]);
}

/// The frames of a server: { opcode, payload }.
export function parseFrames(bytes) {
    const frames = [];
    while (bytes.length >= 2) {
        const short = bytes[1] & 127;
        const begin = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (bytes.length < begin) break;
        const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
        if (bytes.length < begin + size) break;
        frames.push({ opcode: bytes[0] & 15, payload: bytes.subarray(begin, begin + size) });
        bytes = bytes.subarray(begin + size);
    }
    return frames;
}

/// A raw client whose handshake was accepted; `frames()` is what came since.
export async function openRawWebSocket(port, path = '/live/ws') {
    const client = await RawClient.connect(port);
    client.send(handshake(path));
    await client.until(({ text }) => text.includes('\r\n\r\n'), 'answer to the handshake');
    if (!client.text.startsWith('HTTP/1.1 101 ')) throw new Error(client.text);
    const begin = client.received.indexOf('\r\n\r\n') + 4;
    client.frames = () => parseFrames(client.received.subarray(begin));
    return client;
}
