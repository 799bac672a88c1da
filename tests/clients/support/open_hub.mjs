// The server that most tests talk to: examples/open_hub, on a port that the system chooses.

import { startExample } from './program.mjs';

/// @param retain  { events, bytes, seconds }: what each channel keeps, if not the default
/// @param flags   further ones
export function startHub(retain = {}, flags = []) {
    const limits = Object.entries(retain).flatMap(([what, limit]) => [`--retain-${what}`, `${limit}`]);
    return startExample('open_hub', ['--port', '0', ...limits, ...flags]);
}
