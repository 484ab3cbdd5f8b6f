/** What happened day by day (UTC): findings against a budget, drift against training, events of one entity. Pure. */
import { DAY, count, date, share } from '../format.js';
import { axis, baseOptions, levelLine } from './common.js';
import { fade } from './palette.js';

export const PSI_MOVED = 0.1, PSI_FAR = 0.25;
const HEADROOM = 1.15;

const psiText = (psi) => (psi == null ? '–' : psi.toFixed(2));
/** Days are the server's, whatever the reader's zone. */
export const dayName = (time) => date(time, 'utc');

/** Every day between the first and the last, those without data as {day}. */
export function everyDay(days) {
  const by = new Map(days.map((day) => [Date.parse(day.day), day]));
  const times = [...by.keys()].sort((a, b) => a - b);
  const out = [];
  for (let at = times[0]; at <= times.at(-1); at += DAY) out.push(by.get(at) ?? { day: new Date(at).toISOString() });
  return out;
}

const dayAxis = (colours) => axis(colours, { grid: { display: false }, ticks: { autoSkip: true, maxTicksLimit: 8 } });
const labels = (days) => days.map((day) => dayName(day.day).slice(5));
const tooltip = (options, days, label) => ({
  ...options.plugins.tooltip, filter: (item) => item.raw != null,
  callbacks: { title: ([item]) => (item ? dayName(days[item.dataIndex].day) : ''), label },
});

/** @param days ModelDays of one spec @param budget findings a day, or null */
export function findingsConfig(days, budget, colours) {
  const all = everyDay(days);
  const options = baseOptions(colours);
  const most = Math.max(1, budget ?? 0, ...all.map((day) => day.findings ?? 0));
  return {
    type: 'bar',
    data: {
      labels: labels(all),
      datasets: [{
        label: 'Findings', data: all.map((day) => day.findings ?? null), maxBarThickness: 26, minBarLength: 2,
        backgroundColor: all.map((day) => colours[budget != null && day.findings > budget ? 'above' : 'band-90']),
      }],
    },
    options: {
      ...options,
      plugins: { ...options.plugins, tooltip: tooltip(options, all, (item) => `${count(item.raw)} new findings of ${count(all[item.dataIndex].observations)} pairs scored`) },
      scales: {
        x: dayAxis(colours),
        y: axis(colours, { beginAtZero: true, suggestedMax: most * HEADROOM, ticks: { maxTicksLimit: 6, precision: 0, callback: count } }),
      },
    },
    plugins: [levelLine({ id: 'budget', value: budget, label: `budget ${budget}`, colour: colours.threshold })],
  };
}

export function findingsTable(days, budget) {
  return {
    head: ['Day (UTC)', 'New findings', 'Budget', 'Flagged', 'Pairs scored'],
    rows: [...days].reverse().map((day) => [dayName(day.day), count(day.findings), budget == null ? '–' : String(budget), count(day.flagged), count(day.observations)]),
  };
}

const SHARES = [{ key: 'unknown_entities', label: 'entities without history', colour: 'flagged' }, { key: 'unseen_networks', label: 'networks new to their entity', colour: 'band-90' }];

/** PSI on the left axis, shares on the right one. */
export function driftConfig(days, colours) {
  const all = everyDay(days);
  const options = baseOptions(colours);
  const line = (label, colour, data, yAxisID, more) => ({
    label, yAxisID, data, borderColor: colours[colour], backgroundColor: colours[colour], borderWidth: 1.5, pointRadius: 2, pointHitRadius: 0, ...more,
  });
  return {
    type: 'line',
    data: {
      labels: labels(all),
      datasets: [
        line('PSI', 'text', all.map((day) => day.psi ?? null), 'y'),
        ...SHARES.map(({ key, label, colour }, i) => line(label, colour, all.map((day) => day[key] ?? null), 'share', { borderDash: i ? [] : [5, 3] })),
      ],
    },
    options: {
      ...options,
      plugins: {
        ...options.plugins,
        tooltip: tooltip(options, all, (item) => `${item.dataset.label}: ${item.dataset.yAxisID === 'y' ? psiText(item.raw) : share(item.raw)}`),
      },
      scales: {
        x: dayAxis(colours),
        y: axis(colours, { beginAtZero: true, suggestedMax: PSI_FAR * HEADROOM, title: { text: 'PSI' }, ticks: { maxTicksLimit: 6 } }),
        share: axis(colours, { position: 'right', beginAtZero: true, suggestedMax: 0.05, grid: { display: false }, title: { text: 'share' }, ticks: { maxTicksLimit: 6, callback: share } }),
      },
    },
    plugins: [levelLine({ id: 'far', value: PSI_FAR, label: 'PSI: much has changed', colour: fade(colours.threshold, 0.8) })],
  };
}

export function driftTable(days) {
  return {
    head: ['Day (UTC)', 'PSI', 'Entities without history', 'New networks', 'Pairs scored'],
    rows: [...days].reverse().map((day) => [dayName(day.day), psiText(day.psi), ...SHARES.map(({ key }) => (day[key] == null ? '–' : share(day[key]))), count(day.observations)]),
  };
}

/** @param days of a profile */
export function eventsConfig(days, colours) {
  const all = everyDay(days);
  const options = baseOptions(colours);
  const bars = (label, colour, data) => ({ label, data, stack: 'events', backgroundColor: colours[colour], maxBarThickness: 22, minBarLength: 2 });
  return {
    type: 'bar',
    data: {
      labels: labels(all),
      datasets: [
        bars('not flagged', 'below', all.map((day) => (day.observations == null ? null : day.observations - day.flagged || null))),
        bars('flagged', 'flagged', all.map((day) => day.flagged || null)),
      ],
    },
    options: {
      ...options,
      plugins: { ...options.plugins, tooltip: tooltip(options, all, (item) => `${count(item.raw)} events ${item.dataset.label}`) },
      scales: {
        x: { ...dayAxis(colours), stacked: true },
        y: axis(colours, { stacked: true, beginAtZero: true, ticks: { maxTicksLimit: 5, precision: 0, callback: count } }),
      },
    },
  };
}

export function eventsTable(days) {
  return { head: ['Day (UTC)', 'Events', 'Flagged'], rows: [...days].reverse().map((day) => [dayName(day.day), count(day.observations), count(day.flagged)]) };
}
