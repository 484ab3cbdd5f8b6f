import assert from 'node:assert/strict';
import test from 'node:test';
import { HOUR, DAY } from '../../../web/js/format.js';
import { set } from '../../../web/js/settings.js';
import { timeTicks } from '../../../web/js/charts/common.js';
import { histogramConfig, histogramTable, placedBins } from '../../../web/js/charts/histogram.js';
import { extent, scoresConfig, scoresTable, withGaps } from '../../../web/js/charts/scores.js';
import { period, sightingsConfig } from '../../../web/js/charts/sightings.js';
import { lagConfig, lagRange, lagTable } from '../../../web/js/charts/lag.js';
import { agesTable } from '../../../web/js/charts/ages.js';
import { fade } from '../../../web/js/charts/palette.js';

set('zone', 'utc');
const T = Date.parse('2026-11-24T00:00:00Z');
const iso = (ms) => new Date(ms).toISOString();
const colours = new Proxy({}, { get: (_, name) => `rgb(1, 2, ${String(name).length})` });
const bucket = (i, more) => ({ time: iso(T + i * HOUR), observations: 10, flagged: i, p50: -5, p90: 0, p99: 1, p999: 2, ...more });
const series = { bucket: 'hour', since: iso(T - 30 * DAY), until: iso(T + 4 * HOUR), buckets: [bucket(0), bucket(1), bucket(3)] };

test('a gap breaks the lines', () => {
  const points = withGaps(series.buckets, HOUR);
  assert.deepEqual(points.map((p) => [(p.time - T) / HOUR, p.p50 ?? null]), [[0, -5], [1, -5], [2, null], [3, -5]]);
});

test('bands fill to the one below, flagged counts stand on their own axis', () => {
  const { data: { datasets }, options } = scoresConfig(series, colours);
  assert.deepEqual(datasets.map((d) => [d.label, d.fill ?? null, d.yAxisID]),
    [['p50', false, 'y'], ['p90', '-1', 'y'], ['p99', '-1', 'y'], ['p99.9', '-1', 'y'], ['Flagged', null, 'flagged']]);
  assert.equal(datasets[4].data[0].y, null);
  assert.equal(datasets[4].data[3].y, 3);
  assert.equal(options.scales.flagged.max, 12);
  assert.equal(options.scales.y.suggestedMin, -5 - 7 / 3);
  assert.equal(options.scales.flagged.ticks.callback(6), '');
});

test('the axis leaves out the time before the first data', () => {
  const { min, max } = extent(series);
  assert.equal((min - T) / HOUR, -1.5);
  assert.equal((max - T) / HOUR, 4);
});

test('ticks stand on round hours and days of the reader', () => {
  assert.deepEqual(timeTicks(T + 0.5 * HOUR, T + 5 * HOUR, 9).map((t) => (t - T) / HOUR), [1, 2, 3, 4, 5]);
  assert.deepEqual(timeTicks(T - 2 * HOUR, T + 3 * DAY, 4).map((t) => (t - T) / DAY), [0, 1, 2, 3]);
  for (const span of [HOUR, DAY, 40 * DAY, 4000 * DAY]) assert.ok(timeTicks(T, T + span, 5).length <= 7, String(span));
});

const histogram = {
  spec: 'vpc-egress', model: 'm', threshold: 0.75, width: 0.5, observations: 12, flagged: 2,
  bins: [{ low: null, count: 1 }, { low: 0, count: 8 }, { low: 0.5, count: 0 }, { low: 1, count: 3 }],
};

test('the bin below all others gets a place; those above the threshold are marked', () => {
  assert.deepEqual(placedBins(histogram).map((b) => b.low), [-0.5, 0, 0.5, 1]);
  const { data: { datasets: [{ backgroundColor }] }, options, plugins } = histogramConfig(histogram, colours, { log: true, marker: { value: 9, label: 'x' } });
  assert.equal(backgroundColor[3], colours.above);
  assert.equal(backgroundColor[1], colours.below);
  assert.equal(options.scales.y.type, 'logarithmic');
  assert.equal(options.scales.x.max, 9.5);
  assert.equal(plugins.length, 2);
});

test('tables say what the charts show, newest or highest first', () => {
  assert.deepEqual(histogramTable(histogram).rows[0], ['1.00 to 1.50', '3', 'yes']);
  assert.deepEqual(histogramTable(histogram).rows.at(-1), ['below 0.00', '1', 'no']);
  assert.deepEqual(scoresTable(series).rows[0], ['2026-11-24 03:00', '10', '3', '-5.00', '0.00', '1.00', '2.00']);
  assert.deepEqual(agesTable([{ age: 'older', count: 3 }]).rows, [['Older', '3']]);
});

test('one sighting is not as wide as the chart', () => {
  const one = { bucket: 'hour', buckets: [{ time: iso(T), count: 4 }] };
  const { min, max } = period(one);
  assert.equal((max - min) / HOUR, 24);
  assert.equal(sightingsConfig(one, colours).data.datasets[0].data[0].y, 4);
});

test('fading', () => {
  assert.equal(fade('rgb(1, 2, 3)', 0.5), 'rgba(1, 2, 3, 0.5)');
  assert.equal(fade('red', 0.5), 'red');
});

const lag = (i, p50, more) => ({ time: iso(T + i * HOUR), stored: 5, failed: 0, p50_seconds: p50, p95_seconds: p50 && p50 * 4, max_seconds: p50 && p50 * 9, ...more });
const ingest = { now: iso(T + 4.5 * HOUR), hours: [lag(0, 0.2), lag(1, 40), lag(3, null, { stored: 0, failed: 2 })] };

test('lag: lines break where nothing came, bars stand on their own axis, the foot of the logarithm holds', () => {
  const { data: { datasets }, options } = lagConfig(ingest, colours);
  assert.deepEqual(datasets.map((d) => [d.label, d.yAxisID]), [['half were faster', 'y'], ['95 % were faster', 'y'], ['Stored', 'objects'], ['Failed', 'objects']]);
  assert.deepEqual(datasets[0].data.map((p) => p.y), [1, 40, null, null]);
  assert.deepEqual(datasets[3].data.map((p) => p.y), [null, null, null, 2]);
  assert.equal(options.scales.x.max, T + 5 * HOUR);
  assert.equal(options.scales.x.min, T - 163 * HOUR);
  assert.equal(options.scales.objects.max, 20);
  assert.deepEqual(lagRange(ingest.hours), { min: 1, max: 600 });
  assert.deepEqual(lagTable(ingest).rows[1], ['2026-11-24 01:00', '5', '0', '40 s', '2.6 min', '6 min']);
  assert.deepEqual(lagTable(ingest).rows[0].slice(1), ['0', '2', '–', '–', '–']);
});
