// What a client has received and its test has not looked at yet.

import { deferred, within } from './wait.mjs';

export class Inbox {
    #items = [];
    #arrived = deferred();
    #end = null;

    push(...items) {
        this.#items.push(...items);
        this.#wake();
    }

    /// Nothing more will come; whoever waits for more gets the reason as an error.
    end(reason) {
        this.#end ??= new Error(`the connection ended: ${reason}`);
        this.#wake();
    }

    #wake() {
        this.#arrived.resolve();
        this.#arrived = deferred();
    }

    get size() {
        return this.#items.length;
    }

    async next(what = 'next item') {
        while (this.#items.length === 0) {
            if (this.#end) throw this.#end;
            await within(this.#arrived.promise, what);
        }
        return this.#items.shift();
    }

    /// Everything that is there, without waiting.
    drain() {
        return this.#items.splice(0);
    }
}
