// A program of the build under test, from its first line of output to its end.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from './wait.mjs';

const build = process.env.LIVETAPE_BUILD ?? fileURLToPath(new URL('../../../build/debug', import.meta.url));

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/// Starts a server of examples/, whose first line names its address.
/// @param options  of spawn
export async function startExample(name, flags, options = {}) {
    const program = join(build, 'examples', name);
    const child = spawn(program, flags, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
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
    const [line] = await within(Promise.race([once(lines, 'line'), failed]), `line from ${name}`);
    const url = line.match(/\w+:\/\/\S+/)[0];

    return {
        url,
        port: Number(new URL(url).port),
        pid: child.pid,
        exited,

        /// Ends it as an operator does; it must say good-bye and succeed.
        async stop() {
            child.kill('SIGTERM');
            const how = await within(exited, `end of ${name} after SIGTERM`, 4_000);
            assert.deepEqual(how, { code: 0, signal: null });
        },

        /// Ends it as a power cut does.
        async kill() {
            child.kill('SIGKILL');
            await within(exited, `end of ${name} after SIGKILL`);
        },
    };
}
