// Certificates made while the tests run, by the openssl command: an authority and one for the
// loopback address that it has signed.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];

/// @return ca: its PEM; caFile, and args: what a server is started with
export async function makeCertificates() {
    const folder = await mkdtemp(join(tmpdir(), 'livetape-tls-'));
    const file = (name) => join(folder, name);
    const openssl = (...args) => promisify(execFile)('openssl', args);
    await openssl('req', '-x509', ...newKey, '-subj', '/CN=livetape test authority',
        '-keyout', file('ca.key'), '-out', file('ca.pem'));
    await writeFile(file('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1');
    await openssl('req', ...newKey, '-subj', '/CN=localhost', '-keyout', file('key.pem'), '-out', file('request.pem'));
    await openssl('x509', '-req', '-days', '1', '-in', file('request.pem'), '-extfile', file('names'),
        '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial', '-out', file('cert.pem'));
    return {
        ca: await readFile(file('ca.pem')),
        caFile: file('ca.pem'),
        args: ['--cert', file('cert.pem'), '--key', file('key.pem')],
        remove: () => rm(folder, { recursive: true, force: true }),
    };
}
