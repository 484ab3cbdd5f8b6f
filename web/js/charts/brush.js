/**
 * Selecting a period on a drawn chart: drag, or a click for the bucket under the pointer. Keyboards
 * have the rows of the table twin for it.
 */
import { h } from '../dom.js';

const DRAG_MIN_PX = 6;

/**
 * @param figure what figure() of draw.js made
 * @param {(fromMs: number, toMs: number) => void} picked
 * @param {number} stepMs a click picks the bucket of this length
 * @returns {HTMLElement} to lie over the canvas
 */
export function brush(figure, stepMs, picked) {
  const band = h('div.brush-band', { hidden: true });
  const cover = h('div.brush', { 'aria-hidden': 'true' }, band);
  let from = null;

  const x = (event) => {
    const { left, right } = figure.chart().chartArea;
    return Math.min(right, Math.max(left, event.clientX - cover.getBoundingClientRect().left));
  };
  const time = (px) => figure.chart().scales.x.getValueForPixel(px);
  function draw(to) {
    const { top, bottom } = figure.chart().chartArea;
    band.hidden = Math.abs(to - from) < DRAG_MIN_PX;
    for (const [name, px] of Object.entries({ left: Math.min(from, to), width: Math.abs(to - from), top, height: bottom - top })) band.style[name] = `${px}px`;
  }
  function end(event) {
    if (from === null) return;
    const a = Math.min(from, x(event)), b = Math.max(from, x(event));
    from = null;
    band.hidden = true;
    const floor = (ms) => Math.floor(ms / stepMs + 0.5) * stepMs;
    if (b - a >= DRAG_MIN_PX) picked(floor(time(a)), Math.max(floor(time(b)), floor(time(a)) + stepMs));
    else picked(floor(time(a)), floor(time(a)) + stepMs);
  }
  cover.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !figure.chart()) return;
    from = x(event);
    cover.setPointerCapture(event.pointerId);
  });
  cover.addEventListener('pointermove', (event) => {
    if (from !== null) draw(x(event));
    else forward(figure, event);
  });
  cover.addEventListener('pointerup', end);
  cover.addEventListener('pointercancel', () => { from = null; band.hidden = true; });
  cover.addEventListener('pointerleave', (event) => forward(figure, event, true));
  return cover;
}

/** The chart below shows its tooltip for a pointer that it does not get. */
function forward(figure, event, out = false) {
  const chart = figure.chart();
  if (!chart) return;
  const box = figure.canvas.getBoundingClientRect();
  const at = { x: event.clientX - box.left, y: event.clientY - box.top };
  const items = out ? [] : chart.getElementsAtEventForMode(event, 'index', { intersect: false, axis: 'x' }, false);
  const active = items.map(({ datasetIndex, index }) => ({ datasetIndex, index }));
  chart.setActiveElements(active);
  chart.tooltip.setActiveElements(active, at);
  chart.update('none');
}
