/**
 * A figure with a chart and its table twin. Chart.js is fetched when the first chart is drawn; the
 * figure's owner calls destroy.
 */
import { fill, h } from '../dom.js';
import { onTheme } from '../theme.js';
import { onSetting } from '../settings.js';
import { palette } from './palette.js';

/** Built in, or where npm put it when the server reads this folder (--web-dir). */
const PLACES = ['/vendor/chart.umd.js', '/node_modules/chart.js/dist/chart.umd.js'];
const ROWS_MAX = 500;
let loading = null;

async function load() {
  for (const place of PLACES) {
    try {
      await import(place);
      return globalThis.Chart;
    } catch { /* not at this place */ }
  }
  throw new Error('Chart.js could not be loaded.');
}

export function library() {
  loading ??= load();
  return loading;
}

function tableElement({ head, rows }, caption) {
  return h('div.table-scroll', { tabIndex: 0, role: 'region', 'aria-label': caption },
    h('table.data', null,
      h('caption.visually-hidden', null, caption),
      h('thead', null, h('tr', null, head.map((text) => h('th', { scope: 'col' }, text)))),
      h('tbody', null, rows.slice(0, ROWS_MAX).map((row) => h('tr', null, row.map((cell, i) =>
        (i === 0 ? h('th', { scope: 'row' }, cell) : h('td', null, cell))))))));
}

/**
 * @param {{title: string, label: string, empty: string, height?: string, tools?: Node[], legend?: Node}} options
 *   label: what the chart shows, for those who cannot see it
 * @returns {{element: HTMLElement, show(data, config, table), wait(), fail(error, retry), chart(), destroy()}}
 */
export function figure({ title, label, empty, height = 'm', tools = [], legend }) {
  let chart = null, drawn = null;
  const canvas = h('canvas', { role: 'img', 'aria-label': label });
  const stage = h(`div.stage.stage-${height}`, null, h('div.skeleton.fill'));
  const twin = h('details.twin', { hidden: true }, h('summary', null, 'Table', h('span.visually-hidden', null, ` of ${title}`)));
  const heading = h('h2', null, title);
  const element = h('figure.panel.chart', null,
    h('figcaption.panel-head', null, heading, h('div.panel-tools', null, tools)), legend, stage, twin);

  function clear() {
    chart?.destroy();
    chart = null;
  }
  async function draw() {
    if (!drawn) return;
    const Chart = await library();
    if (!drawn) return;
    clear();
    if (canvas.parentElement !== stage) fill(stage, canvas, drawn.over);
    chart = new Chart(canvas, drawn.config(palette()));
    if (twin.open) fillTwin();
  }
  function fillTwin() {
    twin.querySelector('.table-scroll')?.remove();
    if (drawn) twin.append(tableElement(drawn.table(), `${title}, as a table`));
  }
  twin.addEventListener('toggle', () => twin.open && fillTwin());
  const ends = [onTheme(draw), onSetting('zone', draw)];

  return {
    element, stage, canvas,
    chart: () => chart,
    say: (text) => canvas.setAttribute('aria-label', text),
    /** config and table are asked again when theme or zone change; over: what lies on the chart. */
    async show({ config, table, over = null }) {
      drawn = { config, table, over };
      twin.hidden = false;
      await draw();
    },
    none(text = empty) {
      drawn = null;
      clear();
      twin.hidden = true;
      fill(stage, h('p.empty', null, text));
    },
    destroy() {
      drawn = null;
      clear();
      ends.forEach((end) => end());
    },
  };
}
