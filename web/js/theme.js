/** Light, dark, or what the system says: the colours themselves are in css/tokens.css. */
import { onSetting, setting } from './settings.js';

const system = globalThis.matchMedia?.('(prefers-color-scheme: dark)');

function apply() {
  const root = document.documentElement;
  if (setting('theme') === 'auto') delete root.dataset.theme;
  else root.dataset.theme = setting('theme');
}

export function startTheme() {
  apply();
  onSetting('theme', apply);
}

/** Told after the colours have changed; charts redraw. @returns {() => void} ends it */
export function onTheme(call) {
  const end = onSetting('theme', call);
  system?.addEventListener('change', call);
  return () => {
    end();
    system?.removeEventListener('change', call);
  };
}
