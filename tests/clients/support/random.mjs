// Random numbers that a printed seed repeats (mulberry32): LIVETAPE_SEED=… node --test FILE

export function seededRandom(what) {
    const seed = Number(process.env.LIVETAPE_SEED ?? Math.floor(Math.random() * 2 ** 32));
    console.log(`${what}: LIVETAPE_SEED=${seed}`);
    let state = seed >>> 0;
    const next = () => {
        state = (state + 0x6d2b79f5) >>> 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return (mixed ^ (mixed >>> 14)) >>> 0;
    };
    return {
        below: (end) => next() % end,
        pick: (list) => list[next() % list.length],
        bytes: (size) => Buffer.from(Array.from({ length: size }, () => next() & 255)),
    };
}
