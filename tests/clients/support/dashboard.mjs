// The program examples/live_dashboard of the build under test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from './wait.mjs';

const build =
    process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../../build/debug', import.meta.url));
const program = join(build, 'examples', 'live_dashboard');

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

function start(options, stdio) {
    const child = spawn(program, options, { stdio });
    running.add(child);
    child.on('exit', () => running.delete(child));
    return child;
}

/// Runs a program that is expected to refuse its command line; gives its status and what it said.
export async function refusedDashboard(...options) {
    const child = start(options, ['ignore', 'ignore', 'pipe']);
    const [said, [status]] = await within(
        Promise.all([text(child.stderr), once(child, 'exit')]),
        'refusal',
    );
    return { status, said };
}

/// Starts it on a port that the system chooses, unless the options name one.
export async function startDashboard(...options) {
    const port = options.includes('--port') ? [] : ['--port', '0'];
    const child = start([...port, ...options], ['ignore', 'pipe', 'inherit']);
    const exited = once(child, 'exit');
    const lines = createInterface({ input: child.stdout });
    const failed = exited.then(([code, signal]) => {
        throw new Error(`${program} ended with ${signal ?? code} before it listened`);
    });
    failed.catch(() => {});
    const [line] = await within(
        Promise.race([once(lines, 'line'), failed]),
        'line from live_dashboard',
    );
    const url = line.match(/http:\S+/)[0];
    return {
        url,
        port: new URL(url).port,

        /// Ends it as an operator does; it must say good-bye and succeed.
        async stop() {
            child.kill('SIGTERM');
            assert.deepEqual(await within(exited, 'end of live_dashboard after SIGTERM', 8_000), [
                0,
                null,
            ]);
        },
    };
}
