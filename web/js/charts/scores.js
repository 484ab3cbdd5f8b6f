/** Scores over time: percentile bands as areas, flagged counts as bars on an axis of their own. Pure. */
import { DAY, HOUR, count, dateTime, score } from '../format.js';
import { fade } from './palette.js';
import { axis, baseOptions, timeAxis } from './common.js';

export const BANDS = [
  { key: 'p50', label: 'p50', colour: 'band-50' },
  { key: 'p90', label: 'p90', colour: 'band-90' },
  { key: 'p99', label: 'p99', colour: 'band-99' },
  { key: 'p999', label: 'p99.9', colour: 'band-999' },
];

/** The chart is so many times as high as its highest bar. */
const BAR_ROOM = 4;

export const bucketMs = (data) => (data.bucket === 'day' ? DAY : HOUR);

/** Buckets in time order with an empty one wherever data is missing, so that no line crosses a gap. */
export function withGaps(buckets, stepMs) {
  const out = [];
  for (const bucket of buckets) {
    const time = Date.parse(bucket.time);
    const last = out.at(-1);
    if (last && time - last.time > stepMs) out.push({ time: last.time + stepMs });
    out.push({ ...bucket, time });
  }
  return out;
}

function bandDatasets(points, colours) {
  return BANDS.map(({ key, label, colour }, i) => ({
    type: 'line', label, yAxisID: 'y', order: 2,
    data: points.map((p) => ({ x: p.time, y: p[key] ?? null })),
    borderColor: colours[colour], borderWidth: i === BANDS.length - 1 ? 1.5 : 1,
    backgroundColor: fade(colours[colour], 0.22),
    fill: i === 0 ? false : '-1',
    // A bucket between two gaps would have no line to show it.
    pointRadius: (context) => (isAlone(points, context.dataIndex) ? 2 : 0),
    pointHoverRadius: 3, pointHitRadius: 0, pointBackgroundColor: colours[colour],
  }));
}

function isAlone(points, i) {
  return points[i - 1]?.p50 == null && points[i + 1]?.p50 == null;
}

function flaggedDataset(points, colours) {
  return {
    type: 'bar', label: 'Flagged', yAxisID: 'flagged', order: 3,
    data: points.map((p) => ({ x: p.time, y: p.flagged || null })),
    backgroundColor: fade(colours.flagged, 0.75), barThickness: 'flex', maxBarThickness: 14, minBarLength: 2,
  };
}

function tooltip(points, options) {
  return {
    ...options.plugins.tooltip,
    filter: (item) => item.raw.y != null,
    itemSort: (a, b) => b.datasetIndex - a.datasetIndex,
    callbacks: {
      title: ([item]) => (item ? dateTime(item.raw.x) : ''),
      label: (item) => `${item.dataset.label}: ${item.dataset.type === 'bar' ? count(item.raw.y) : score(item.raw.y)}`,
      footer: ([item]) => (item ? `${count(points[item.dataIndex].observations ?? 0)} observations` : ''),
    },
    footerColor: options.plugins.tooltip.titleColor, footerFont: options.plugins.tooltip.bodyFont,
  };
}

/** The period the chart shows: whole buckets. */
export function extent(data) {
  const step = bucketMs(data);
  const first = Date.parse(data.buckets[0].time), last = Date.parse(data.buckets.at(-1).time);
  const since = Math.min(first, Date.parse(data.since)), until = Math.max(last + step, Date.parse(data.until));
  // "All" begins long before the first observation.
  return { min: Math.max(since, first - step) - step / 2, max: Math.min(until, last + 2 * step) };
}

/** Where the axis of scores begins: so far below the bands that the bars of flagged counts fit under them. */
function foot(points) {
  const values = points.flatMap((p) => BANDS.map(({ key }) => p[key] ?? NaN)).filter((v) => !Number.isNaN(v));
  const low = Math.min(...values), high = Math.max(...values);
  return low - (high - low) / (BAR_ROOM - 1);
}

/** @param data a Timeseries of at least one bucket */
export function scoresConfig(data, colours) {
  const points = withGaps(data.buckets, bucketMs(data));
  const { min, max } = extent(data);
  const options = baseOptions(colours);
  const flaggedMost = Math.max(1, ...points.map((p) => p.flagged ?? 0));
  return {
    type: 'line',
    data: { datasets: [...bandDatasets(points, colours), flaggedDataset(points, colours)] },
    options: {
      ...options,
      plugins: { ...options.plugins, tooltip: tooltip(points, options) },
      scales: {
        x: timeAxis(colours, min, max),
        y: axis(colours, { title: { text: 'score' }, suggestedMin: foot(points), ticks: { maxTicksLimit: 7 } }),
        flagged: axis(colours, {
          position: 'right', min: 0, max: flaggedMost * BAR_ROOM, grid: { display: false },
          ticks: { stepSize: flaggedMost, maxTicksLimit: 2 * BAR_ROOM + 2, precision: 0, callback: (v) => (v <= flaggedMost ? count(v) : '') },
        }),
      },
    },
  };
}

/** The same for readers: {head, rows}. */
export function scoresTable(data) {
  return {
    head: ['Time', 'Observations', 'Flagged', ...BANDS.map((b) => b.label)],
    rows: [...data.buckets].reverse().map((b) =>
      [dateTime(b.time), count(b.observations), count(b.flagged), ...BANDS.map(({ key }) => score(b[key]))]),
  };
}
