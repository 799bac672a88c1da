// Light and dark: the system's choice until the visitor makes another. Canvases cannot use style
// sheets' variables, so they ask here for the colour that one has at present.

const known = new Map();
const probe = document.body.appendChild(document.createElement('i'));
probe.hidden = true;
const system = matchMedia('(prefers-color-scheme: dark)');

/** The colour of a custom property in the current theme. */
export function colour(property) {
    if (!known.has(property)) {
        probe.style.color = `var(${property})`;
        known.set(property, getComputedStyle(probe).color);
    }
    return known.get(property);
}

const isDark = () => {
    const chosen = localStorage.getItem('theme');
    return chosen ? chosen === 'dark' : system.matches;
};

/** Lets a button switch the theme. @param changed  called after each change */
export function offerThemes(button, changed) {
    const apply = () => {
        known.clear();
        changed();
    };
    system.addEventListener('change', apply);
    button.addEventListener('click', () => {
        const theme = isDark() ? 'light' : 'dark';
        localStorage.setItem('theme', theme);
        document.documentElement.style.colorScheme = theme;
        apply();
    });
}
