const wide = 120;
const high = 28;

// Sparkline is the last minute of one number; the number itself stands beside
// it in text.
export function Sparkline({ values, tone = "accent" }: { values: number[]; tone?: "accent" | "bad" }) {
  const top = Math.max(1, ...values);
  const step = wide / 59;
  const from = wide - (values.length - 1) * step;
  const points = values.map((v, n) => `${(from + n * step).toFixed(1)},${(high - 2 - (v / top) * (high - 5)).toFixed(1)}`);
  return (
    <svg class={`spark ${tone}`} viewBox={`0 0 ${wide} ${high}`} preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <line x1="0" x2={wide} y1={high - 1} y2={high - 1} />
      {points.length > 1 && <polygon points={`${from.toFixed(1)},${high - 1} ${points.join(" ")} ${wide},${high - 1}`} />}
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}
