/** Open findings by age. Pure. */
import { count } from '../format.js';
import { AGE_LABEL } from '../words.js';
import { axis, baseOptions } from './common.js';

export function agesConfig(ages, colours) {
  const options = baseOptions(colours);
  return {
    type: 'bar',
    data: {
      labels: ages.map(({ age }) => AGE_LABEL[age]),
      datasets: [{
        label: 'Open findings', data: ages.map((a) => a.count || null),
        backgroundColor: ages.map((_, i) => colours[`age-${i + 1}`]), maxBarThickness: 22, minBarLength: 2,
      }],
    },
    options: {
      ...options,
      indexAxis: 'y',
      plugins: {
        ...options.plugins,
        tooltip: { ...options.plugins.tooltip, callbacks: { label: (item) => `${count(item.raw)} open findings` } },
      },
      scales: {
        x: axis(colours, { beginAtZero: true, ticks: { maxTicksLimit: 6, precision: 0, callback: count } }),
        y: axis(colours, { grid: { display: false }, ticks: { color: colours.text } }),
      },
    },
  };
}

export function agesTable(ages) {
  return { head: ['Age', 'Open findings'], rows: ages.map(({ age, count: n }) => [AGE_LABEL[age], count(n)]) };
}
