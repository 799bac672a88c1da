// Waiting for something to become true, never for time to pass.

export const patience = 15_000;

/// What a promise gives, or an error that says what did not happen in time.
export async function within(promise, what, timeout = patience) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`in ${timeout} ms: no ${what}`)), timeout);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/// Looks at a condition until it holds; gives its value.
export async function until(condition, what, timeout = patience) {
    const end = Date.now() + timeout;
    for (;;) {
        const value = await condition();
        if (value) return value;
        if (Date.now() > end) throw new Error(`in ${timeout} ms: not ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
}

/// A promise with its two ends.
export function deferred() {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    made.promise.catch(() => {});
    return made;
}
