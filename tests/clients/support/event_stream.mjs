// An event stream read by hand from fetch, by the rules of WHATWG HTML §9.2.6.

/// Gives { data, id, type } for each block; `data` is null for a block that is no message, and `id`
/// is the last event ID as of then.
export async function* readEventStream(body) {
    let text = '';
    let data = [];
    let id = '';
    let type = 'message';
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
            const line = text.slice(0, end).replace(/\r$/, '');
            text = text.slice(end + 1);
            if (line === '') {
                yield { data: data.length > 0 ? data.join('\n') : null, id, type };
                data = [];
                type = 'message';
                continue;
            }
            const [, name, value] = line.match(/^([^:]*):? ?(.*)$/s);
            if (name === 'data') data.push(value);
            else if (name === 'id') id = value;
            else if (name === 'event') type = value;
        }
    }
}
