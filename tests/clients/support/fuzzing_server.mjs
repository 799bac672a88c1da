// Stands in for Autobahn's fuzzing server: three paths, of which /runCase?case=N sends what case N
// says and notes what the client answers. It builds and reads frames by itself, since what it sends
// is often no WebSocket at all.

import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/// One frame, right or wrong. `reserved` is a number of three bits, RSV1 the highest.
export function frame(opcode, payload = '', { isFinal = true, reserved = 0, isMasked = false, lengthBytes } = {}) {
    const body = Buffer.from(payload);
    const width = lengthBytes ?? (body.length < 126 ? 0 : body.length < 65536 ? 2 : 8);
    const head = Buffer.alloc(2 + width);
    head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
    head[1] = (isMasked ? 0x80 : 0) | (width === 0 ? body.length : width === 2 ? 126 : 127);
    if (width === 2) head.writeUInt16BE(body.length, 2);
    if (width === 8) head.writeBigUInt64BE(BigInt(body.length), 2);
    return Buffer.concat([head, isMasked ? Buffer.alloc(4) : Buffer.alloc(0), body]);
}

export function closeFrame(code, reason = '') {
    const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
    return frame(opcodes.close, payload);
}

/// Reads a client's frames; throws where one is not what RFC 6455 §5 asks of a client.
class FrameReader {
    bytes = Buffer.alloc(0);
    keys = [];

    *take(more) {
        this.bytes = Buffer.concat([this.bytes, more]);
        for (;;) {
            if (this.bytes.length < 2) return;
            const short = this.bytes[1] & 127;
            const width = short < 126 ? 0 : short === 126 ? 2 : 8;
            const start = 2 + width + 4;
            if (this.bytes.length < start) return;
            const size = width === 0 ? short : width === 2 ? this.bytes.readUInt16BE(2) : Number(this.bytes.readBigUInt64BE(2));
            if (this.bytes.length < start + size) return;
            if (!(this.bytes[1] & 128)) throw new Error('the client sent a frame without a mask');
            if (size < (width === 2 ? 126 : width === 8 ? 65536 : 0)) throw new Error('a length is not minimal');
            const key = this.bytes.subarray(start - 4, start);
            this.keys.push(key.toString('hex'));
            const payload = Buffer.from(this.bytes.subarray(start, start + size));
            for (let i = 0; i < size; i++) payload[i] ^= key[i % 4];
            const opcode = this.bytes[0] & 15;
            yield { opcode, payload, isFinal: !!(this.bytes[0] & 128), reserved: (this.bytes[0] >> 4) & 7 };
            this.bytes = this.bytes.subarray(start + size);
        }
    }
}

/// One direction of permessage-deflate (RFC 7692).
class Codec {
    constructor(create, keepsContext) {
        Object.assign(this, { create, keepsContext, stream: create() });
    }

    async run(bytes) {
        if (!this.keepsContext) this.stream = this.create();
        const out = [];
        const collect = (piece) => out.push(piece);
        this.stream.on('data', collect);
        this.stream.write(bytes);
        await new Promise((done) => this.stream.flush(constants.Z_SYNC_FLUSH, done));
        this.stream.off('data', collect);
        return Buffer.concat(out);
    }
}

const tail = Buffer.from([0, 0, 255, 255]);

/// The connection of one case, after its handshake.
class Peer {
    events = []; // what the client sent: [kind, payload or close code]
    keys = [];
    message = null;
    isCompressed = false;
    failure = null;

    constructor(socket, extension) {
        this.socket = socket;
        this.reader = new FrameReader();
        if (extension) {
            this.deflater = new Codec(createDeflateRaw, !extension.includes('server_no_context_takeover'));
            this.inflater = new Codec(createInflateRaw, !extension.includes('client_no_context_takeover'));
        }
        this.work = Promise.resolve();
        this.changed = () => {};
        socket.setNoDelay(true);
        socket.on('data', (bytes) => {
            this.work = this.work.then(() => this.take(bytes)).catch((why) => (this.failure ??= why)).then(() => this.changed());
        });
        this.ended = new Promise((done) => socket.on('close', done));
        socket.on('error', () => {});
        this.ended.then(() => this.work).then(() => this.changed());
    }

    async take(bytes) {
        for (const each of this.reader.take(bytes)) await this.takeFrame(each);
        this.keys = this.reader.keys;
    }

    async takeFrame({ opcode, payload, isFinal, reserved }) {
        if (this.events.at(-1)?.[0] === 'close') throw new Error('the client sent a frame after its close frame');
        if (opcode >= 8) {
            if (!isFinal || reserved || payload.length > 125) throw new Error('a bad control frame');
            if (opcode === opcodes.pong) this.events.push(['pong', payload.toString('latin1')]);
            else if (opcode === opcodes.close) this.events.push(['close', payload.length ? payload.readUInt16BE(0) : 1005]);
            else this.events.push(['ping', payload.toString('latin1')]);
            return;
        }
        if ((opcode === 0) !== (this.message !== null)) throw new Error('a bad fragment');
        if (reserved & (opcode && this.inflater ? 3 : 7)) throw new Error('a reserved bit');
        if (opcode) this.message = { opcode, isCompressed: reserved === 4, pieces: [] };
        this.message.pieces.push(payload);
        if (!isFinal) return;
        let whole = Buffer.concat(this.message.pieces);
        if (this.message.isCompressed) {
            this.isCompressed = true;
            whole = await this.inflater.run(Buffer.concat([whole, tail]));
        }
        this.events.push([this.message.opcode === opcodes.text ? 'text' : 'binary', whole.toString('latin1')]);
        this.message = null;
    }

    /// A compressed message, cut into that many frames.
    async compressed(opcode, payload, frames = 1) {
        const bytes = (await this.deflater.run(Buffer.from(payload))).subarray(0, -4);
        const size = Math.max(1, Math.ceil(bytes.length / frames));
        const pieces = [];
        for (let at = 0; at < bytes.length; at += size)
            pieces.push(
                frame(at === 0 ? opcode : 0, bytes.subarray(at, at + size), { reserved: at === 0 ? 4 : 0, isFinal: at + size >= bytes.length }),
            );
        return Buffer.concat(pieces);
    }

    /// Waits until the client has sent that many events, or has gone.
    async until(count) {
        let hasEnded = false;
        this.ended.then(() => (hasEnded = true));
        while (this.events.length < count && !hasEnded && !this.failure)
            await new Promise((done) => (this.changed = done));
    }
}

/// Serves the cases. Each has `send`: buffers, or a function of the peer that gives them; `expect`:
/// events; `extension`: what is accepted; `drip`: a byte at a time. A case whose expected events
/// end without a close is ended by the server, with 1000.
export async function startFuzzingServer(cases) {
    const results = new Map();
    let agent = null;

    async function runCase(each, peer) {
        const pieces = typeof each.send === 'function' ? await each.send(peer) : each.send;
        const bytes = Buffer.concat(pieces);
        if (each.drip)
            for (const byte of bytes) {
                peer.socket.write(Buffer.from([byte]));
                await new Promise(setImmediate);
            }
        else peer.socket.write(bytes);
        const isClosedByClient = each.expect.at(-1)?.[0] === 'close';
        await peer.until(each.expect.length);
        if (!isClosedByClient) {
            peer.socket.write(closeFrame(1000));
            await peer.until(each.expect.length + 1);
        }
        // RFC 6455 §7.1.1: it is for the server to end the connection.
        const leftFirst = peer.socket.readableEnded;
        peer.socket.end();
        await peer.ended;
        await peer.work;
        results.set(each.name, { events: peer.events, keys: peer.keys, failure: peer.failure, leftFirst, isClosedByClient, isCompressed: peer.isCompressed });
    }

    async function talk(socket, head) {
        const target = new URL(head.match(/^GET (\S+) HTTP\/1.1\r\n/)[1], 'ws://server');
        const field = (name) => head.match(new RegExp(`^${name}: (.*)\r$`, 'm'))?.[1];
        const number = Number(target.searchParams.get('case'));
        const each = target.pathname === '/runCase' ? cases[number - 1] : null;
        const accept = createHash('sha1').update(field('Sec-WebSocket-Key') + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
        const isOffered = field('Sec-WebSocket-Extensions')?.startsWith('permessage-deflate');
        const extension = isOffered ? each?.extension : null;
        socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
                `Sec-WebSocket-Accept: ${accept}\r\n${extension ? `Sec-WebSocket-Extensions: ${extension}\r\n` : ''}\r\n`,
        );
        const peer = new Peer(socket, extension);
        if (each) return runCase(each, peer);
        if (target.pathname === '/updateReports') agent = target.searchParams.get('agent');
        if (target.pathname === '/getCaseCount') socket.write(frame(opcodes.text, `${cases.length}`));
        socket.write(closeFrame(1000));
        await peer.until(1);
        socket.end();
    }

    const server = createServer((socket) => {
        let head = '';
        const takeHead = (bytes) => {
            head += bytes.toString('latin1');
            if (!head.endsWith('\r\n\r\n')) return;
            socket.off('data', takeHead);
            talk(socket, head).catch((why) => socket.destroy(why));
        };
        socket.on('data', takeHead);
        socket.on('error', () => {});
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {
        url: `ws://127.0.0.1:${server.address().port}`,
        results,
        agent: () => agent,
        stop: () => new Promise((done) => server.close(done)),
    };
}
