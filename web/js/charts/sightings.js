/** When a pair was seen: events by hour or day. Pure. */
import { count, dateTime } from '../format.js';
import { bucketMs } from './scores.js';
import { axis, baseOptions, timeAxis } from './common.js';

const BUCKETS_MIN = 24;

/** The period drawn: what there is, widened to so many buckets that one bar is not the whole chart. */
export function period(data) {
  const step = bucketMs(data);
  const first = Date.parse(data.buckets[0].time), last = Date.parse(data.buckets.at(-1).time) + step;
  const missing = Math.max(0, BUCKETS_MIN - (last - first) / step);
  return { min: first - Math.ceil(missing / 2) * step, max: last + Math.floor(missing / 2) * step };
}

/** @param data a Sightings of at least one bucket */
export function sightingsConfig(data, colours) {
  const { min, max } = period(data);
  const half = bucketMs(data) / 2;
  const options = baseOptions(colours);
  return {
    type: 'bar',
    data: {
      datasets: [{
        label: 'Events',
        data: data.buckets.map((b) => ({ x: Date.parse(b.time) + half, y: b.count })),
        backgroundColor: colours.accent, barThickness: 'flex', maxBarThickness: 16, minBarLength: 2,
      }],
    },
    options: {
      ...options,
      plugins: {
        ...options.plugins,
        tooltip: {
          ...options.plugins.tooltip,
          callbacks: { title: ([item]) => dateTime(item.raw.x - half), label: (item) => `${count(item.raw.y)} events` },
        },
      },
      scales: {
        x: timeAxis(colours, min, max),
        y: axis(colours, { beginAtZero: true, ticks: { maxTicksLimit: 4, precision: 0, callback: count } }),
      },
    },
  };
}

export function sightingsTable(data) {
  return {
    head: [data.bucket === 'day' ? 'Day' : 'Hour', 'Events'],
    rows: [...data.buckets].reverse().map((b) => [dateTime(b.time), count(b.count)]),
  };
}
