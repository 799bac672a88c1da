// A certificate for 127.0.0.1 and localhost, its own authority, made for this run.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function makeCertificate() {
    const folder = mkdtempSync(join(tmpdir(), 'livetape-'));
    const [keyFile, certFile] = ['key.pem', 'cert.pem'].map((name) => join(folder, name));
    const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext', names, '-keyout', keyFile, '-out', certFile], { stdio: 'ignore' });
    return {
        keyFile,
        certFile,
        key: readFileSync(keyFile),
        cert: readFileSync(certFile),
        remove: () => rmSync(folder, { recursive: true }),
    };
}
