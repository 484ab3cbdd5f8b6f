/** What every chart's configuration shares. Pure. */
import { HOUR, DAY, axisTime, hourOf } from '../format.js';

export const FONT = { family: 'system-ui, sans-serif', size: 11 };

/** Chart.js options over which a chart lays its own. */
export function baseOptions(colours) {
  return {
    responsive: true,
    maintainAspectRatio: false,
    animation: false,
    font: FONT,
    interaction: { mode: 'index', intersect: false },
    plugins: {
      legend: { display: false },
      tooltip: {
        backgroundColor: colours.surface, borderColor: colours.border, borderWidth: 1,
        titleColor: colours.text, bodyColor: colours.text, titleFont: { ...FONT, weight: '600' }, bodyFont: FONT,
        padding: 8, cornerRadius: 4, boxPadding: 4, usePointStyle: true,
      },
    },
  };
}

export function axis(colours, more = {}) {
  return {
    border: { color: colours.border },
    grid: { color: colours.grid, drawTicks: false },
    ...more,
    ticks: { color: colours.muted, font: FONT, padding: 6, maxRotation: 0, ...more.ticks },
    title: { display: Boolean(more.title?.text), color: colours.muted, font: FONT, ...more.title },
  };
}

const TICK_PX = 56;
const STEPS = [HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY];

/** Round hours or days between two times, at most so many; midnight is the reader's. */
export function timeTicks(min, max, most = 9) {
  const step = STEPS.find((s) => (max - min) / s <= most) ?? Math.ceil((max - min) / most / DAY) * DAY;
  const offset = hourOf(Math.ceil(min / HOUR) * HOUR) * HOUR;
  const midnight = Math.ceil(min / HOUR) * HOUR - offset;
  const ticks = [];
  for (let at = midnight; at <= max; at += step) if (at >= min) ticks.push(at);
  return ticks;
}

/** A linear axis of milliseconds: Chart.js's own time axis would need another library. */
export function timeAxis(colours, min, max) {
  return axis(colours, {
    type: 'linear', min, max, offset: false,
    grid: { display: false, offset: false },
    afterBuildTicks: (scale) => {
      const most = Math.max(2, Math.floor(scale.width / TICK_PX));
      scale.ticks = timeTicks(min, max, most).map((value) => ({ value }));
    },
    ticks: { autoSkip: false, callback: (value) => axisTime(value) },
  });
}

/**
 * Draws a dashed upright line at a value of the x axis, when it lies within, and a word above the chart, on the
 * side asked for when there is room.
 */
export function uprightLine({ value, label, colour, id, side = 'left', lift = 0 }) {
  return {
    id,
    afterDatasetsDraw({ ctx, chartArea, scales: { x } }) {
      if (value == null || value < x.min || value > x.max) return;
      const at = Math.round(x.getPixelForValue(value)) + 0.5;
      ctx.save();
      ctx.font = `600 11px ${FONT.family}`;
      const room = ctx.measureText(label).width + 8;
      const right = side === 'right' ? at + room < chartArea.right : at - room < chartArea.left;
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = 1.5;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(at, chartArea.top - lift);
      ctx.lineTo(at, chartArea.bottom);
      ctx.stroke();
      ctx.textAlign = right ? 'left' : 'right';
      ctx.fillText(label, at + (right ? 5 : -5), chartArea.top - 6 - lift);
      ctx.restore();
    },
  };
}

/** Draws a dashed level line at a value of the y axis, and a word above its left end. */
export function levelLine({ value, label, colour, id }) {
  return {
    id,
    afterDatasetsDraw({ ctx, chartArea, scales: { y } }) {
      if (value == null || value < y.min || value > y.max) return;
      const at = Math.round(y.getPixelForValue(value)) + 0.5;
      ctx.save();
      ctx.font = `600 11px ${FONT.family}`;
      ctx.strokeStyle = ctx.fillStyle = colour;
      ctx.lineWidth = 1.5;
      ctx.setLineDash([4, 3]);
      ctx.beginPath();
      ctx.moveTo(chartArea.left, at);
      ctx.lineTo(chartArea.right, at);
      ctx.stroke();
      ctx.textAlign = 'left';
      ctx.fillText(label, chartArea.left + 4, at - 5);
      ctx.restore();
    },
  };
}
