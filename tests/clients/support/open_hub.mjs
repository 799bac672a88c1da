// The server that the tests talk to: examples/open_hub of the build under test, on a port that the
// system chooses.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from './wait.mjs';

const build = process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../../build/debug', import.meta.url));
const program = join(build, 'examples', 'open_hub');

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/// @param retain  { events, bytes, seconds }: what each channel keeps, if not the default
export async function startHub(retain = {}) {
    const limits = Object.entries(retain).flatMap(([what, limit]) => [`--retain-${what}`, `${limit}`]);
    const child = spawn(program, ['--port', '0', ...limits], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.add(child);
    // `once` rejects if the program cannot be started.
    const exited = once(child, 'exit').then(([code, signal]) => {
        running.delete(child);
        return { code, signal };
    });
    exited.catch(() => {});
    const failed = exited.then(({ code, signal }) => {
        throw new Error(`${program} ended with ${signal ?? code} before it listened`);
    });
    failed.catch(() => {});
    const lines = createInterface({ input: child.stdout });
    const [line] = await within(Promise.race([once(lines, 'line'), failed]), 'line from open_hub');
    const url = line.match(/http:\S+/)[0];

    return {
        url,
        port: Number(new URL(url).port),
        pid: child.pid,
        exited,

        /// Ends it as an operator does; it must say good-bye and succeed.
        async stop() {
            child.kill('SIGTERM');
            const how = await within(exited, 'end of open_hub after SIGTERM', 4_000);
            assert.deepEqual(how, { code: 0, signal: null });
        },

        /// Ends it as a power cut does.
        async kill() {
            child.kill('SIGKILL');
            await within(exited, 'end of open_hub after SIGKILL');
        },
    };
}
