const wide = 120;
const high = 28;

// Sparkline is the last minute of one number; the number itself stands beside
// it in text.
//
// least is the height of the drawing at the least, so that what hardly moves does
// not look like a storm.
export function Sparkline({ values, least }: { values: number[]; least: number }) {
  const top = Math.max(least, ...values);
  const step = wide / 59;
  const from = wide - (values.length - 1) * step;
  const points = values.map((v, n) => `${(from + n * step).toFixed(1)},${(high - 2 - (v / top) * (high - 5)).toFixed(1)}`);
  return (
    <svg class="spark" viewBox={`0 0 ${wide} ${high}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <line x1="0" x2={wide} y1={high - 1} y2={high - 1} />
      {points.length > 1 && <polygon points={`${from.toFixed(1)},${high - 1} ${points.join(" ")} ${wide},${high - 1}`} />}
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}
