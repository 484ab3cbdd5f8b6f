/** The colours of css/tokens.css as charts need them: resolved for the theme of the moment. */

const NAMES = ['text', 'muted', 'grid', 'surface', 'border', 'accent', 'threshold',
  'band-50', 'band-90', 'band-99', 'band-999', 'flagged', 'below', 'above',
  'age-1', 'age-2', 'age-3', 'age-4'];

/** @returns {Object<string, string>} by name */
export function palette() {
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const colours = {};
  for (const name of NAMES) {
    probe.style.color = `var(--${name})`;
    colours[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return colours;
}

/** "rgb(1, 2, 3)" with an opacity. */
export function fade(colour, opacity) {
  const [, inner] = /\(([^)]*)\)/.exec(colour) ?? [];
  if (!inner) return colour;
  const [r, g, b] = inner.split(/[,\s/]+/);
  return `rgba(${r}, ${g}, ${b}, ${opacity})`;
}
