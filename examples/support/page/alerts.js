// Shows the alerts of a channel as they stand, the newest first, and lets a person acknowledge one:
// that is a publish into the channel `acknowledgements`, which the server reads.
//
//   showAlerts(live, document.getElementById('alerts'), { who: 'trader' });

const kept = 30;

export function showAlerts(live, list, { who, time = defaultTime }) {
    const items = new Map(); // by the alert's id
    live.subscribe('alerts', { snapshot: true }, {
        event: ({ data }) => {
            items.get(data.id)?.remove();
            const item = itemOf(data);
            items.set(data.id, item);
            list.prepend(item);
            while (list.children.length > kept) {
                items.delete(list.lastElementChild.dataset.id);
                list.lastElementChild.remove();
            }
        },
    });

    function itemOf({ id, severity, state, since, text, acknowledged_by: by }) {
        const item = document.createElement('li');
        Object.assign(item.dataset, { id, severity, state });
        const said = document.createElement('span');
        said.textContent = text;
        item.append(said);
        if (state === 'firing' && !by) item.append(buttonFor(id));
        const about = document.createElement('small');
        const how = document.createElement('b');
        how.textContent = severity;
        about.append(how, ` · ${state} · since ${time(since)}${by ? ` · seen by ${by}` : ''}`);
        item.append(about);
        return item;
    }

    function buttonFor(id) {
        const button = document.createElement('button');
        button.type = 'button';
        button.textContent = 'Acknowledge';
        button.onclick = async () => {
            button.disabled = true;
            try {
                await live.command({ publish: 'acknowledgements', data: { id, who } });
            } catch {
                button.disabled = false;
            }
        };
        return button;
    }
}

function defaultTime(milliseconds) {
    return new Date(milliseconds).toLocaleTimeString('en-GB', { timeZone: 'UTC' });
}
