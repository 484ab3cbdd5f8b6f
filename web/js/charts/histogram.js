/** How scores are distributed, with the threshold and perhaps one score marked. Pure. */
import { count, score, shortCount } from '../format.js';
import { axis, baseOptions, uprightLine } from './common.js';

const LABEL_PX = 16; // for a line of words above the lines

/** Bins as [{low, high, count}]: the one below all others gets a place beside them. */
export function placedBins({ bins, width }) {
  const first = bins.find((bin) => bin.low !== null);
  return bins.map((bin) => {
    const low = bin.low ?? (first ? first.low - width : 0);
    return { low, high: low + width, count: bin.count, below: bin.low === null };
  });
}

const binText = (bin) => (bin.below ? `below ${score(bin.high)}` : `${score(bin.low)} to ${score(bin.high)}`);

function countAxis(colours, log) {
  if (!log) return axis(colours, { beginAtZero: true, ticks: { maxTicksLimit: 6, callback: shortCount } });
  return axis(colours, {
    type: 'logarithmic', min: 0.7,
    ticks: { maxTicksLimit: 8, callback: (v) => (Number.isInteger(Math.log10(v)) ? shortCount(v) : '') },
  });
}

/**
 * @param data a Histogram of at least one bin
 * @param {{log?: boolean, marker?: {value: number, label: string}}} [how]
 */
export function histogramConfig(data, colours, { log = false, marker } = {}) {
  const bins = placedBins(data);
  const isAbove = (bin) => data.threshold != null && (bin.low + bin.high) / 2 > data.threshold;
  const options = baseOptions(colours);
  const reach = [data.threshold, marker?.value].filter((v) => v != null);
  return {
    type: 'bar',
    data: {
      datasets: [{
        label: 'Observations',
        data: bins.map((bin) => ({ x: (bin.low + bin.high) / 2, y: bin.count || null })),
        backgroundColor: bins.map((bin) => colours[isAbove(bin) ? 'above' : 'below']),
        barPercentage: 0.92, categoryPercentage: 1, minBarLength: log ? 0 : 2,
      }],
    },
    options: {
      ...options,
      layout: { padding: { top: marker ? 2 * LABEL_PX : LABEL_PX } },
      plugins: {
        ...options.plugins,
        tooltip: {
          ...options.plugins.tooltip,
          callbacks: {
            title: ([item]) => `Score ${binText(bins[item.dataIndex])}`,
            label: (item) => `${count(item.raw.y)} observations`,
          },
        },
      },
      scales: {
        x: axis(colours, {
          type: 'linear', offset: false, grid: { display: false }, title: { text: 'score' },
          min: Math.min(bins[0].low, ...reach.map((v) => v - data.width)),
          max: Math.max(bins.at(-1).high, ...reach.map((v) => v + data.width)),
          ticks: { maxTicksLimit: 10, includeBounds: false },
        }),
        y: countAxis(colours, log),
      },
    },
    plugins: [
      uprightLine({ id: 'threshold', value: data.threshold, label: `threshold ${score(data.threshold)}`, colour: colours.threshold, lift: marker ? LABEL_PX : 0 }),
      ...(marker ? [uprightLine({ id: 'marker', ...marker, colour: colours.accent, side: 'right' })] : []),
    ],
  };
}

export function histogramTable(data) {
  return {
    head: ['Score', 'Observations', 'Above the threshold'],
    rows: placedBins(data).filter((bin) => bin.count > 0).reverse()
      .map((bin) => [binText(bin), count(bin.count), data.threshold != null && bin.low >= data.threshold ? 'yes' : bin.high > data.threshold && data.threshold != null ? 'in part' : 'no']),
  };
}
