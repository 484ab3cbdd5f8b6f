/** From an object's making to its being visible, hour by hour: half and nearly all of them as lines, their number as bars. Pure. */
import { HOUR, count, dateTime, duration } from '../format.js';
import { axis, baseOptions, timeAxis } from './common.js';
import { fade } from './palette.js';
import { withGaps } from './scores.js';

const LINES = [{ key: 'p50_seconds', label: 'half were faster', colour: 'band-90' }, { key: 'p95_seconds', label: '95 % were faster', colour: 'band-999' }];
const BARS = [{ key: 'stored', label: 'Stored', colour: 'below' }, { key: 'failed', label: 'Failed', colour: 'flagged' }];
const TICKS = [1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 70 * 86400];
const WEEK_HOURS = 168, BAR_ROOM = 4;
const LEAST = 1; // second: a logarithm needs a foot

/** The powers that enclose all values. */
export function lagRange(hours) {
  const values = hours.flatMap((hour) => LINES.map(({ key }) => hour[key])).filter((v) => v != null);
  const most = Math.max(...values, 60);
  return { min: LEAST, max: TICKS.find((tick) => tick >= most) ?? TICKS.at(-1) };
}

function lineDatasets(points, colours) {
  return LINES.map(({ key, label, colour }) => ({
    type: 'line', label, yAxisID: 'y', order: 1,
    data: points.map((p) => ({ x: p.time + HOUR / 2, y: p[key] == null ? null : Math.max(LEAST, p[key]) })),
    borderColor: colours[colour], backgroundColor: colours[colour], borderWidth: 1.5,
    pointRadius: (context) => (points[context.dataIndex - 1]?.[key] == null && points[context.dataIndex + 1]?.[key] == null ? 2 : 0),
    pointHoverRadius: 3, pointHitRadius: 0,
  }));
}

function barDatasets(points, colours) {
  return BARS.map(({ key, label, colour }) => ({
    type: 'bar', label, yAxisID: 'objects', stack: 'objects', order: 2,
    data: points.map((p) => ({ x: p.time + HOUR / 2, y: p[key] || null })),
    backgroundColor: fade(colours[colour], key === 'failed' ? 0.9 : 0.5), barThickness: 'flex', maxBarThickness: 10,
  }));
}

/** @param data an Ingest with at least one hour */
export function lagConfig(data, colours) {
  const points = withGaps(data.hours, HOUR);
  const options = baseOptions(colours);
  const until = Math.ceil(Date.parse(data.now) / HOUR) * HOUR;
  const most = Math.max(1, ...data.hours.map((hour) => hour.stored + hour.failed));
  return {
    type: 'line',
    data: { datasets: [...lineDatasets(points, colours), ...barDatasets(points, colours)] },
    options: {
      ...options,
      plugins: {
        ...options.plugins,
        tooltip: {
          ...options.plugins.tooltip,
          filter: (item) => item.raw.y != null,
          callbacks: {
            title: ([item]) => (item ? dateTime(item.raw.x - HOUR / 2) : ''),
            label: (item) => (item.dataset.type === 'bar' ? `${item.dataset.label}: ${count(item.raw.y)}` : `${duration(item.raw.y)}: ${item.dataset.label}`),
          },
        },
      },
      scales: {
        x: timeAxis(colours, until - WEEK_HOURS * HOUR, until),
        y: axis(colours, {
          type: 'logarithmic', ...lagRange(data.hours), title: { text: 'lag' },
          afterBuildTicks: (scale) => { scale.ticks = TICKS.filter((t) => t >= scale.min && t <= scale.max).map((value) => ({ value })); },
          ticks: { autoSkip: false, callback: (value) => duration(value) },
        }),
        objects: axis(colours, {
          position: 'right', min: 0, max: most * BAR_ROOM, stacked: true, grid: { display: false },
          ticks: { stepSize: most, precision: 0, maxTicksLimit: 2 * BAR_ROOM + 2, callback: (v) => (v <= most ? count(v) : '') },
        }),
      },
    },
  };
}

/** The same for readers: {head, rows}. */
export function lagTable(data) {
  return {
    head: ['Hour', 'Stored', 'Failed', 'Half within', '95 % within', 'Longest'],
    rows: [...data.hours].reverse().map((hour) => [dateTime(hour.time), count(hour.stored), count(hour.failed),
      ...['p50_seconds', 'p95_seconds', 'max_seconds'].map((key) => duration(hour[key]))]),
  };
}
